package load

var modes = []Mode{
	{"writev", "one raw writev(2) a batch", inGo(openWritev)},
	{"netbuffers", "net.Buffers.WriteTo a net.Conn", inGo(openNetBuffers)},
	{"limit", "one send bundle a batch, in C", runLimit},
}
