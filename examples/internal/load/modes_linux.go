package load

var modes = []Mode{
	{"writev", "one raw writev(2) a batch", true, inGo(openWritev)},
	{"netbuffers", "net.Buffers.WriteTo a net.Conn", true, inGo(openNetBuffers)},
	{"send", "one send request a message, linked to keep their order", true, inGo(openSend)},
	{"bundle", "one send bundle a batch, straight from provided buffers", true, inGo(openBundle)},
	{"sender", "uring.Sender: copies messages, and sends when 64 KiB wait", true, inGo(openSenderStream)},
	{"sender-flush", "the same, and every batch is flushed before the next", true, inGo(openSenderFlush)},
	{"limit", "the loop of bundle, in C over liburing", true, runLimit},
	{"unix-writev", "one unix.Writev of golang.org/x/sys a batch (when asked for)", false, inGo(openUnixWritev)},
	{"aio", "one io_submit a batch, without io_uring (when asked for)", false, inGo(openAIO)},
	{"aio-sender", "aio.Sender, every batch flushed (when asked for)", false, inGo(openAIOSender)},
}
