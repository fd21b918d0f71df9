//go:build linux

package socketops

import "errors"

// errReplaced is why a lane admits nothing whose socket got another descriptor: the socket has lanes that do.
var errReplaced = errors.New("descriptor replaced")
