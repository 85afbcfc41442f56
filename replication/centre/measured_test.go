package centre

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"interlock/crypto/dkg"
	"interlock/protocol/wire"
)

func TestADirectoryWaitsSinceTheLastProgress(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(1_800_000_000+int64(seconds), 0) }
	never := time.Time{}
	m := newMeasured(nil)
	for i, row := range []struct {
		version, published uint64
		seconds            int
		want               time.Time
	}{
		{1, 0, 0, at(0)},  // the first waits
		{2, 0, 5, at(0)},  // another, and still no progress
		{2, 1, 9, at(9)},  // progress, though not to the end
		{3, 1, 20, at(9)}, // none
		{3, 3, 30, never}, // all is published
		{3, 3, 40, never},
		{4, 3, 50, at(50)},
		{2, 3, 60, never}, // a log that is read again after a start
	} {
		m.note(moment{version: row.version, published: row.published}, at(row.seconds))
		if !m.unpublished.Equal(row.want) {
			t.Fatalf("row %d: got waiting since %v, want %v", i, m.unpublished, row.want)
		}
	}
}

func TestAPhaseBeginsWithEachCeremony(t *testing.T) {
	at := func(seconds int) time.Time { return time.Unix(1_800_000_000+int64(seconds), 0) }
	m := newMeasured(nil)
	for i, row := range []struct {
		ceremony uint64
		phase    dkg.Phase
		seconds  int
		want     time.Time
	}{
		{7, dkg.Joining, 0, at(0)}, {7, dkg.Joining, 5, at(0)}, {7, dkg.Dealing, 6, at(6)}, {8, dkg.Dealing, 9, at(9)}, {0, 0, 12, at(12)},
	} {
		m.note(moment{ceremony: row.ceremony, phase: row.phase}, at(row.seconds))
		if !m.phaseBegan.Equal(row.want) {
			t.Fatalf("row %d: got phase since %v, want %v", i, m.phaseBegan, row.want)
		}
	}
}

// told is an observer that keeps the last word.
type told struct {
	took     time.Duration
	elements int
	code     wire.Code
}

func (o *told) Evaluated(took time.Duration, elements int, refused wire.Code) {
	*o = told{took, elements, refused}
}

func TestAnObserverHearsTheCodeThatTheMemberGets(t *testing.T) {
	for _, row := range []struct {
		err  error
		want wire.Code
	}{
		{nil, wire.CodeNone},
		{fmt.Errorf("evaluate: %w", wire.Refuse(wire.CodeBusy, errThrottled)), wire.CodeBusy},
		{errors.New("a fault without a code"), wire.CodeUnavailable},
	} {
		o := &told{}
		newMeasured(o).evaluated(time.Second, 3, row.err)
		if *o != (told{time.Second, 3, row.want}) {
			t.Errorf("%v: got %+v, want %v", row.err, *o, row.want)
		}
	}
	newMeasured(nil).evaluated(time.Second, 3, nil) // nobody listens
}
