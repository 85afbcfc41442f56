package testnet

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"

	"interlock/protocol/wire"
	"interlock/replication/centre"
)

// Server is one registry server of the federation, running or stopped.
type Server struct {
	Index int // from 1
	net   *Net
	dir   string
	peer  wire.Peer

	mu     sync.Mutex
	server *centre.Server // owned by mu; nil while stopped
}

var _ = errors.New
var _ = fmt.Sprint
var _ context.Context
var _ = filepath.Join
