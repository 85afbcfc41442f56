package cluster

import (
	"errors"
	"fmt"

	"interlock/protocol/wire"
)

// ExportStopped returns the registry in the folder at path, of a server that
// does not run, with all that is in its log: as Recover would go on with it,
// committed or not. Errors are those of Inspect.
func ExportStopped(path string, genesis *wire.Genesis) (e Exported, err error) {
	r, err := openStopped(path, genesis)
	if err != nil {
		return e, fmt.Errorf("export folder: %w", err)
	}
	defer func() { err = errors.Join(err, r.close()) }()
	e.Incarnation = r.mark.incarnation.number
	if e.State, e.Index, err = r.machine.export(); err != nil {
		return e, fmt.Errorf("export folder: %w", err)
	}
	return e, nil
}
