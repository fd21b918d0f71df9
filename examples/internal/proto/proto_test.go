package proto_test

import (
	"bytes"
	"crypto/sha256"
	"testing"
	"time"

	"github.com/stretchr/testify/require"

	"github.com/sockring/uring/examples/internal/proto"
)

func validJob() proto.Job {
	return proto.Job{
		Net: proto.TCP, Addr: "127.0.0.1:9", Conns: 3, Msgs: 5, Size: 100,
		Dur: 2 * time.Second, Warmup: time.Millisecond, Verify: true, SendBuf: 4096,
	}
}

// environment returns a getenv over "NAME=value" strings.
func environment(t *testing.T, vars []string) func(string) string {
	t.Helper()
	m := make(map[string]string)
	for _, v := range vars {
		name, value, ok := bytes.Cut([]byte(v), []byte("="))
		require.True(t, ok, v)
		m[string(name)] = string(value)
	}
	return func(name string) string { return m[name] }
}

func TestJobSurvivesTheEnvironment(t *testing.T) {
	for _, verify := range []bool{false, true} {
		want := validJob()
		want.Verify = verify
		got, err := proto.JobFromEnv(environment(t, want.Env()))
		require.NoError(t, err)
		require.Equal(t, want, got)
	}
}

func TestJobFromEnvNamesTheBadVariable(t *testing.T) {
	vars := append(validJob().Env(), "BUNDLEBENCH_MSGS=many")
	_, err := proto.JobFromEnv(environment(t, vars))
	require.ErrorContains(t, err, `BUNDLEBENCH_MSGS="many"`)
}

func TestJobCheckRefuses(t *testing.T) {
	tests := []struct {
		name  string
		spoil func(*proto.Job)
	}{
		{"network", func(j *proto.Job) { j.Net = "udp" }},
		{"no connections", func(j *proto.Job) { j.Conns = 0 }},
		{"too many connections", func(j *proto.Job) { j.Conns = proto.ConnsMax + 1 }},
		{"no messages", func(j *proto.Job) { j.Msgs = 0 }},
		{"too many messages", func(j *proto.Job) { j.Msgs = proto.MsgsMax + 1 }},
		{"empty messages", func(j *proto.Job) { j.Size = 0 }},
		{"huge messages", func(j *proto.Job) { j.Size = proto.SizeMax + 1 }},
		{"negative window", func(j *proto.Job) { j.Dur = -1 }},
		{"negative warm-up", func(j *proto.Job) { j.Warmup = -1 }},
		{"negative send buffer", func(j *proto.Job) { j.SendBuf = -1 }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			j := validJob()
			require.NoError(t, j.Check())
			tt.spoil(&j)
			require.Error(t, j.Check())
		})
	}
}

func TestMessageContent(t *testing.T) {
	msg := make([]byte, 12)
	proto.Fill(msg, 2, 3)
	proto.Stamp(msg, 0x0102030405060708)
	body := func(i int) byte { return byte(2*131 + 3*31 + i) }
	require.Equal(t, []byte{8, 7, 6, 5, 4, 3, 2, 1, body(8), body(9), body(10), body(11)}, msg)

	short := make([]byte, 3)
	proto.Stamp(short, 0x01020304)
	require.Equal(t, []byte{4, 3, 2}, short)

	require.Equal(t, []byte{1, 2, 0, 0}, proto.Preamble(0x0201))
}

func TestStreamHashIsOfTheMessagesInOrder(t *testing.T) {
	j := validJob()
	j.Msgs = 2
	var stream []byte
	for number := range 3 {
		msg := make([]byte, j.Size)
		proto.Fill(msg, 1, number%2)
		proto.Stamp(msg, uint64(number))
		stream = append(stream, msg...)
	}
	require.Equal(t, sha256.Sum256(stream), proto.StreamHash(j, 1, 3))
	require.NotEqual(t, sha256.Sum256(stream), proto.StreamHash(j, 2, 3))
	require.NotEqual(t, sha256.Sum256(stream), proto.StreamHash(j, 1, 2))
}

func TestResultIsTheLastLine(t *testing.T) {
	want := proto.Result{Messages: 7, ElapsedNS: 9, CPUNS: 3, Syscalls: 2, Sent: []uint64{4, 3}}
	var out bytes.Buffer
	out.WriteString("connected\n")
	require.NoError(t, want.Write(&out))
	out.WriteString("\n")
	got, err := proto.ParseResult(out.Bytes())
	require.NoError(t, err)
	require.Equal(t, want, got)

	_, err = proto.ParseResult([]byte(" \n"))
	require.ErrorContains(t, err, "printed no result")
	_, err = proto.ParseResult([]byte("oops\n"))
	require.ErrorContains(t, err, `"oops"`)
}

func TestResultCheck(t *testing.T) {
	j := validJob()
	good := proto.Result{Messages: 5, ElapsedNS: 1, Sent: []uint64{2, 2, 2}}
	tests := []struct {
		name   string
		result proto.Result
		want   string
	}{
		{"complete", good, ""},
		{"a connection missing", proto.Result{Messages: 1, ElapsedNS: 1, Sent: []uint64{2, 2}}, "2 connections"},
		{"nothing sent", proto.Result{ElapsedNS: 1, Sent: []uint64{2, 2, 2}}, "0 messages"},
		{"no time passed", proto.Result{Messages: 1, Sent: []uint64{2, 2, 2}}, "0 ns"},
		{"more than all", proto.Result{Messages: 7, ElapsedNS: 1, Sent: good.Sent}, "only 6 in all"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			err := tt.result.Check(j)
			if tt.want == "" {
				require.NoError(t, err)
				return
			}
			require.ErrorContains(t, err, tt.want)
		})
	}
}
