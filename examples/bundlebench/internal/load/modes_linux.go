package load

var modes = []Mode{
	{"writev", "one raw writev(2) a batch", inGo(openWritev)},
	{"netbuffers", "net.Buffers.WriteTo a net.Conn", inGo(openNetBuffers)},
	{"send", "one send request a message, linked to keep their order", inGo(openSend)},
	{"bundle", "one send bundle a batch, straight from provided buffers", inGo(openBundle)},
	{"sender", "uring.Sender: copies messages, and sends when 64 KiB wait", inGo(openSenderStream)},
	{"sender-flush", "the same, and every batch is flushed before the next", inGo(openSenderFlush)},
	{"limit", "the loop of bundle, in C over liburing", runLimit},
}
