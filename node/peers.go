package node

import (
	"errors"

	"interlock/node/desk"
	"interlock/node/exchange"
	"interlock/node/store"
	"interlock/protocol/directory"
	"interlock/protocol/wire"
)

// memberLines says of every other member what was sent to it and received from it,
// and what is missing and why.
func (n *Node) memberLines(d *directory.Directory) ([]desk.MemberLine, error) {
	progress := map[directory.AgencyID]exchange.Progress{}
	for _, p := range n.followers.Progress() {
		progress[p.Agency] = p
	}
	type volume struct{ sent, received uint64 }
	traffic := map[wire.Peer]volume{}
	for _, t := range n.host.Traffic() {
		v := traffic[t.Peer]
		traffic[t.Peer] = volume{v.sent + t.SentBytes, v.received + t.ReceivedBytes}
	}
	forks := n.forkTroubles()
	var list []desk.MemberLine
	var errs []error
	for _, a := range d.Agencies {
		if a.ID == n.agency.ID {
			continue
		}
		line := desk.MemberLine{Agency: a, SentBytes: traffic[a.Key].sent, ReceivedBytes: traffic[a.Key].received}
		if p, followed := progress[a.ID]; followed {
			line.Connected, line.Have, line.Head, line.LastHeard, line.Trouble = p.Connected, p.Have, p.Head, p.Heard, p.Trouble
		} else {
			errs = append(errs, n.byOthers(&line))
		}
		errs = append(errs, n.sent(d, &line))
		if a.Status != directory.Active {
			line.Trouble = "suspended by the registry"
		}
		if fork, ok := forks[a.ID]; ok {
			line.Trouble = fork
		}
		list = append(list, line)
	}
	return list, errors.Join(errs...)
}

// byOthers says how far the feeds of a member are that is not followed directly.
func (n *Node) byOthers(line *desk.MemberLine) error {
	line.ByOthers, line.Connected = true, n.host.Connected(line.Agency.Key)
	held, err := n.flow.Holds(line.Agency.ID)
	for _, h := range held {
		if h.Audience == directory.Everyone { // of no other does gossip tell
			line.Have = h.Number
		}
	}
	told := n.spread.Told(line.Agency.ID)
	line.Head = max(line.Have, told.Number)
	if line.Have < line.Head {
		line.Trouble = "other members have more of its feed; it is being fetched from them"
	}
	return err
}

// sent says how much of our feeds a member may have, and has.
func (n *Node) sent(d *directory.Directory, line *desk.MemberLine) error {
	return n.flow.held(n.agency.ID, func(tx *store.Tx, s store.Feed) error {
		if !s.ID.Audience.Admits(d, n.agency.ID, line.Agency.ID) {
			return nil
		}
		at, err := tx.Position(s.ID)
		if err != nil {
			return err
		}
		line.Ours += at.Number
		_, number, err := tx.Acknowledged(line.Agency.ID, s.ID.Audience)
		if errors.Is(err, store.ErrNotFound) {
			return nil
		}
		line.Has += min(number, at.Number)
		return err
	})
}
