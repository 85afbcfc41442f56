package centre

import (
	"context"
	"errors"
	"io"

	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/registry"
)

// recordChunk bounds one answer, in bytes of entries.
const recordChunk = 4 * wire.MiB

var errOutside = errors.New("no such entries in the record")

// serveRecord sends operators parts of the record, each with the directory that
// signs its head.
func (s *Server) serveRecord(ctx context.Context, st *link.Stream) error {
	for {
		var request wire.RecordRequest
		if err := st.Receive(&request); err == io.EOF {
			return nil
		} else if err != nil {
			return err
		}
		response := &wire.RecordResponse{}
		var err error
		read, cancel := context.WithTimeout(ctx, readTry)
		look := func(state *registry.State) { err = s.cutRecord(state, &request, response) }
		if s.cluster.Read(read, look) != nil {
			s.cluster.View(look) // as it is here: the head says how old that is
		}
		cancel()
		if err != nil {
			return wire.Refuse(wire.CodeMalformed, err)
		}
		if err := st.Send(response); err != nil {
			return err
		}
	}
}

// cutRecord fills a response with the entries that were asked for, as far as the
// published directory's head covers them.
func (s *Server) cutRecord(state *registry.State, request *wire.RecordRequest, response *wire.RecordResponse) error {
	response.Directory = state.Published()
	size := state.PublishedRecord().Size
	if request.From > size {
		return errOutside
	}
	size = min(size, request.From+uint64(request.Count))
	room := recordChunk
	for at := request.From; at < size; at++ {
		entry, err := state.Record().Entry(at)
		if err != nil {
			return err
		}
		if room -= len(entry); room < 0 && at > request.From {
			break
		}
		response.Entries = append(response.Entries, entry)
	}
	return nil
}
