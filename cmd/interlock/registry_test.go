package main

import (
	"fmt"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"

	"interlock/testnet"
)

// The files in testdata/registry drive the real command line of servers and
// operators.
func TestRegistryCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/registry", Setup: onFreePorts()})
}

// The files in testdata/node drive that of nodes.
func TestNodeCommandLine(t *testing.T) {
	testscript.Run(t, testscript.Params{Dir: "testdata/node", Setup: onFreePorts()})
}

// onFreePorts gives each script ports of its own, PORT1 to PORT6, that were free
// a moment ago.
func onFreePorts() func(*testscript.Env) error {
	var all testnet.Ports
	return func(e *testscript.Env) error {
		ports, err := all.Free(6)
		for i, port := range ports {
			e.Setenv(fmt.Sprintf("PORT%d", i+1), fmt.Sprint(port))
		}
		return err
	}
}
