package main

import (
	"fmt"
	"net"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The files in testdata/registry drive the real command line of servers and
// operators.
func TestRegistryCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/registry", Setup: onFreePorts})
}

// The files in testdata/node drive that of nodes.
func TestNodeCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/node", Setup: onFreePorts})
}

// onFreePorts gives a script ports, PORT1 to PORT6, that were free a moment
// ago.
func onFreePorts(e *testscript.Env) error {
	var listening []net.Listener
	for i := 1; i <= 6; i++ {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			return err
		}
		listening = append(listening, l)
		e.Setenv(fmt.Sprintf("PORT%d", i), fmt.Sprint(l.Addr().(*net.TCPAddr).Port))
	}
	for _, l := range listening {
		if err := l.Close(); err != nil {
			return err
		}
	}
	return nil
}
