package centre

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"time"

	"interlock/crypto/dkg"
	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/wire"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// Figures are a server and the registry in numbers, for whoever watches over
// them. There is no name, key or agency's id in them: agencies are counted.
type Figures struct {
	Server      oprf.Index // this one's number, 0 for none
	Replication cluster.Status
	Log         cluster.Measure
	CaughtUp    bool
	Servers     []ServerFigures // of the network, by number

	Version     uint64        // of the directory
	Published   uint64        // the newest version that was; 0 for none
	PublishedAt time.Time     // when it was published here; the zero time for never
	Unpublished time.Duration // how long a later version has waited; 0 for none
	Endorsed    int           // servers that signed the current version
	Required    int           // and that have to
	RecordSize  uint64        // entries
	Day         uint64        // Unix day that the registry counts

	Active, Suspended                  int // agencies
	Applications, Motions, Invitations int // that are open
	Motioned                           uint64
	Notices                            map[uint32]NoticeFigures // by kind, of those that are kept
	Budget, Leased                     uint64                   // identifiers, of all active agencies and today
	NearBudget, Flagged                int                      // active agencies

	Epochs      []EpochFigures // the newest last
	Phase       dkg.Phase      // of the ceremony under way; 0 for none
	PhaseLasts  time.Duration
	PhaseAwaits int // servers that have not spoken in it
	Linked      int // active agencies with a link to this server
	Following   int // of these, that follow the directory here
	Behind      int // of these, that act on a version before the published one
	Furthest    uint64
	Streams     map[string]int // open, by protocol
	Refusals    []link.Count   // of streams and connections, by either side
}

// ServerFigures are one server as this one sees it.
type ServerFigures struct {
	Index    oprf.Index
	Linked   bool // there is a link; followers need none to one another
	Endorsed bool // it signed the current version of the directory
	Share    bool // it has a share of the key in force, as the directory has it
}

// NoticeFigures are the notices of one kind.
type NoticeFigures struct {
	Kept   int
	Newest time.Time // by the clock of the server that proposed it
}

// EpochFigures are one token key.
type EpochFigures struct {
	Epoch             token.Epoch
	Generation        uint32
	Threshold, Shares int
	Retiring          bool
	Held              bool // this server has its share on its disk
}

// Figures returns the numbers of this moment: what is replicated is of one
// state. The error is of the file system.
func (s *Server) Figures() (Figures, error) {
	_, d, _ := s.published.get()
	f := Figures{Replication: s.cluster.Status(), CaughtUp: s.isReady(), Refusals: s.host.Counts(), Notices: make(map[uint32]NoticeFigures)}
	var m *wire.RegistryStatus
	var epochs []directory.KeyEpoch
	s.cluster.View(func(state *registry.State) {
		m, epochs = state.Status(), state.Epochs()
		f.Server, f.Required = s.indexIn(state), state.Trusted().Quorum
		if c, under := state.Ceremony(); under {
			f.Phase, f.PhaseAwaits = c.Transcript.Phase(), len(c.Transcript.Expected())
		}
	})
	f.Version, f.Endorsed, f.RecordSize, f.Day = m.Version, int(m.Endorsed), m.RecordSize, m.Day
	f.Applications, f.Motions, f.Invitations, f.Motioned = len(m.Pending), len(m.Motions), len(m.Invitations), m.Motioned
	f.countServers(s, m)
	f.countAgencies(s, m, d)
	for _, n := range m.Notices {
		was := f.Notices[n.Kind]
		f.Notices[n.Kind] = NoticeFigures{Kept: was.Kept + 1, Newest: unix(n.Time)}
	}
	for _, k := range epochs {
		_, err := s.shares.of(k, f.Server)
		f.Epochs = append(f.Epochs, EpochFigures{
			Epoch: k.Epoch, Generation: k.Generation, Threshold: k.Keys.Threshold, Shares: len(k.Keys.Shares), Retiring: k.Retiring, Held: err == nil,
		})
	}
	f.takeTimes(s.measured)
	return f, f.readDisk(s, d)
}

func (f *Figures) countServers(s *Server, m *wire.RegistryStatus) {
	at := make(map[uint32]wire.Peer)
	for _, server := range m.Servers {
		if key, err := wire.ParsePeer(server.Key); err == nil {
			at[server.Index] = key
		}
	}
	for _, a := range m.ServerActivity {
		key := at[a.Server]
		f.Servers = append(f.Servers, ServerFigures{
			Index: oprf.Index(a.Server), Linked: key == s.host.Peer() || s.host.Connected(key),
			Endorsed: a.Endorsed, Share: a.Generation > 0,
		})
	}
}

// countAgencies adds up what is known of each. Activity has them in the order
// of Agencies.
func (f *Figures) countAgencies(s *Server, m *wire.RegistryStatus, published *directory.Directory) {
	for i, a := range m.Agencies {
		if directory.Status(a.Status) != directory.Active {
			f.Suspended++
			continue
		}
		f.Active++
		today := m.Activity[i]
		f.Budget += today.Daily
		f.Leased += today.Used
		if nearBudget(today) {
			f.NearBudget++
		}
		if today.Flagged {
			f.Flagged++
		}
		if key, err := wire.ParsePeer(a.Application.Key); err == nil && s.host.Connected(key) {
			f.Linked++
			f.countFollower(s.activity.of(key), published)
		}
	}
}

// nearBudget reports whether more than four fifths of a budget are leased.
func nearBudget(a *wire.AgencyActivity) bool {
	return a.Daily > 0 && float64(a.Used) > 0.8*float64(a.Daily)
}

func (f *Figures) countFollower(seen sight, published *directory.Directory) {
	if seen.seen.IsZero() || published == nil {
		return
	}
	f.Following++
	if seen.version < published.Version {
		f.Behind++
		f.Furthest = max(f.Furthest, published.Version-seen.version)
	}
}

func (f *Figures) takeTimes(m *measured) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f.Streams = maps.Clone(m.streams)
	if !m.unpublished.IsZero() {
		f.Unpublished = time.Since(m.unpublished)
	}
	if f.Phase != 0 && f.Phase == m.phase {
		f.PhaseLasts = time.Since(m.phaseBegan)
	}
}

// readDisk takes what the folder knows. The file of the published directory is
// written whenever one is published.
func (f *Figures) readDisk(s *Server, published *directory.Directory) (err error) {
	if published != nil {
		f.Published = published.Version
		info, err := os.Stat(s.config.path(directoryFile))
		switch {
		case err == nil:
			f.PublishedAt = info.ModTime()
		case !errors.Is(err, fs.ErrNotExist): // the first is about to be written
			return fmt.Errorf("measure published directory: %w", err)
		}
	}
	f.Log, err = s.cluster.Measure()
	return err
}
