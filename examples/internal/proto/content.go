package proto

import (
	"crypto/sha256"
	"encoding/binary"
)

// PreambleSize is the length in bytes of what opens each connection: the connection's index, from 0,
// little-endian. It tells the sink which connection this is, and counts in no figure.
const PreambleSize = 4

// Preamble returns the bytes that open connection conn.
func Preamble(conn int) []byte {
	return binary.LittleEndian.AppendUint32(nil, uint32(conn))
}

// StampSize is how many bytes at the start of a message hold its running number.
const StampSize = 8

// Fill writes the body of a message, all behind the stamp: what stays the same from batch to batch. slot
// is the message's place in its batch.
func Fill(msg []byte, conn, slot int) {
	for i := StampSize; i < len(msg); i++ {
		msg[i] = byte(conn*131 + slot*31 + i)
	}
}

// Stamp writes the running number of a message on its connection, little-endian, into its first
// StampSize bytes, or into all of a shorter one.
func Stamp(msg []byte, number uint64) {
	if len(msg) >= StampSize {
		binary.LittleEndian.PutUint64(msg, number)
		return
	}
	for i := range msg {
		msg[i] = byte(number)
		number >>= 8
	}
}

// StreamHash returns the SHA-256 of what a verified job sends on connection conn after the preamble, when
// it sends sent messages.
func StreamHash(j Job, conn int, sent uint64) [sha256.Size]byte {
	batch := make([][]byte, j.Msgs)
	for slot := range batch {
		batch[slot] = make([]byte, j.Size)
		Fill(batch[slot], conn, slot)
	}
	h := sha256.New()
	for number := range sent {
		msg := batch[number%uint64(j.Msgs)]
		Stamp(msg, number)
		h.Write(msg)
	}
	return [sha256.Size]byte(h.Sum(nil))
}
