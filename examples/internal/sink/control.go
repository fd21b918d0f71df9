package sink

// The orders that a sink obeys.
const (
	opOpen  = "open"  // listen; answered by the address
	opClose = "close" // wait until every connection has ended; answered by the totals
)

// Spec says what to listen on and what to do with what arrives.
type Spec struct {
	Net     string `json:"net"`            // "tcp" or "unix"
	Path    string `json:"path,omitempty"` // of the unix socket; it must not exist
	Verify  bool   `json:"verify,omitempty"`
	RecvBuf int    `json:"rcvbuf,omitempty"` // SO_RCVBUF in bytes; 0 leaves the kernel's default
}

// Total is what arrived on one connection behind its preamble.
type Total struct {
	Index  int    `json:"index"` // as the preamble names it
	Bytes  uint64 `json:"bytes"`
	SHA256 string `json:"sha256,omitempty"` // in hexadecimal; only of a verified run
	Error  string `json:"error,omitempty"`  // how the connection ended if not by the peer's close
}

type order struct {
	Op string `json:"op"`
	Spec
}

type answer struct {
	Addr   string  `json:"addr,omitempty"`
	Totals []Total `json:"totals,omitempty"`
	Error  string  `json:"error,omitempty"`
}
