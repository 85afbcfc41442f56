package centre

import (
	"errors"
	"io/fs"
	"os"

	"interlock/protocol/directory"
	"interlock/replication/cluster"
	"interlock/replication/registry"
)

// Check is one condition of a server that can do its work.
type Check struct {
	Name    string // of the condition, in one word or two with an underscore
	Trouble string // a sentence without names or paths; empty where all is well
}

// The conditions.
const (
	CheckPart   = "part"      // it is one of the network's servers
	CheckCaught = "caught_up" // it knows what was decided before it started
	CheckLeader = "leader"    // it hears what is decided now
	CheckShare  = "share"     // it has a share of the key in force, where there is one
	CheckDisk   = "disk"      // its folder can be written to
)

// Health returns every condition of a server that can evaluate and take
// decisions now. It writes a few bytes into the server's folder.
func (s *Server) Health() []Check {
	now := s.cluster.Status()
	part := ""
	if now.Standing != cluster.Voting && now.Standing != cluster.Following {
		part = "takes no part in the network: it is " + now.Standing.String()
	}
	return []Check{
		{CheckPart, part},
		{CheckCaught, unless(s.isReady(), "has not seen yet what was decided before it started")},
		{CheckLeader, unless(now.Leader != 0, "hears from no leader: fewer than a majority of the servers can reach one another")},
		{CheckShare, s.troubleWithShare()},
		{CheckDisk, unless(s.canWrite(), "cannot write to its folder: the disk is full, broken or read-only")},
	}
}

func unless(fine bool, trouble string) string {
	if fine {
		return ""
	}
	return trouble
}

// troubleWithShare says why this server can evaluate nothing under the newest
// key. Before the first key there is nothing to hold.
func (s *Server) troubleWithShare() string {
	var newest directory.KeyEpoch
	some := false
	s.cluster.View(func(state *registry.State) {
		if epochs := state.Epochs(); len(epochs) > 0 {
			newest, some = epochs[len(epochs)-1], true
		}
	})
	if !some {
		return ""
	}
	_, err := s.shares.of(newest, s.Index())
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return "holds no share of the key in force: it was away from the ceremony; make new shares"
	case err != nil:
		return "cannot open its share of the key in force"
	}
	return ""
}

// probeFile is written to see whether that is possible.
const probeFile = "probe"

// canWrite writes a block, which takes room on the disk, and removes it again.
func (s *Server) canWrite() bool {
	s.measured.probe.Lock()
	defer s.measured.probe.Unlock()
	path := s.config.path(probeFile)
	return os.WriteFile(path, make([]byte, 4096), 0o600) == nil && os.Remove(path) == nil
}
