package exchange

import (
	"context"
	"fmt"

	"interlock/protocol/directory"
	"interlock/protocol/feed"
	"interlock/protocol/link"
	"interlock/protocol/wire"
)

// AskReceipts asks a reader how far it has compared the asker's feeds, and
// returns what it signed. The reader fetches what it has not before it answers.
func AskReceipts(ctx context.Context, open Opener, self directory.AgencyID, reader directory.Agency) ([]feed.Receipt, error) {
	s, err := open.Open(ctx, reader.Key, wire.ProtocolReceipts)
	if err != nil {
		return nil, err
	}
	defer s.Reset(wire.CodeNone)
	stop := context.AfterFunc(ctx, func() { s.Reset(wire.CodeNone) })
	defer stop()
	var m wire.ReceiptsResponse
	if err := s.Receive(&m); err != nil {
		return nil, err
	}
	list := make([]feed.Receipt, len(m.Receipts))
	for i, r := range m.Receipts {
		if list[i], err = feed.ParseReceipt(r); err != nil {
			return nil, wire.Refuse(wire.CodeMalformed, err)
		}
		if list[i].Author != self || list[i].Reader != reader.ID || !list[i].Verified(reader.Key) {
			return nil, wire.Refuse(wire.CodeForged, fmt.Errorf("receipt of %s", reader.ID))
		}
	}
	return list, nil
}

// Receipts answers an author that asks how far its feeds are compared here: what is
// not held yet is fetched, and then sign says how far everything is.
func (fs *Followers) Receipts(ctx context.Context, author directory.Agency, s *link.Stream, sign func() ([]feed.Receipt, error)) error {
	if !fs.connected(author.ID) {
		if _, err := fs.Pull(ctx, author.Key, author); err != nil {
			fs.slog.Info("feed not fetched before its receipt", "agency", author.ID, "cause", err)
		}
	}
	receipts, err := sign()
	if err != nil {
		return err
	}
	var answer wire.ReceiptsResponse
	for _, r := range receipts {
		answer.Receipts = append(answer.Receipts, r.Message())
	}
	return s.Send(&answer)
}
