package directory

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"interlock/protocol/wire"
)

func messages(epochs []KeyEpoch) []*wire.KeyEpoch {
	var list []*wire.KeyEpoch
	for _, k := range epochs {
		list = append(list, k.Message())
	}
	return list
}

func TestOneKeyIsInForceAndTheOneBeforeItRetires(t *testing.T) {
	d := example(t)
	current, ok := d.Current()
	if !ok || current.Epoch != 3 || current.Retiring {
		t.Errorf("Current = epoch %d, %t, want 3 in force", current.Epoch, ok)
	}
	old, ok := d.Epoch(1)
	if !ok || !old.Retiring {
		t.Errorf("Epoch(1) = retiring %t, %t, want one that retires", old.Retiring, ok)
	}
	if k, ok := d.Epoch(2); ok {
		t.Errorf("Epoch(2) = %d, want none", k.Epoch)
	}
	if k, ok := (&Directory{}).Current(); ok {
		t.Errorf("before the first ceremony Current = %d, want none", k.Epoch)
	}
	if k, ok := (&Directory{Epochs: d.Epochs[:1]}).Current(); ok {
		t.Errorf("with a retiring key alone Current = %d, want none", k.Epoch)
	}
}

func TestKeyEpochsReadBackAsTheyWere(t *testing.T) {
	one := []KeyEpoch{epoch(t, 7, 1, 5)}
	for name, want := range map[string][]KeyEpoch{"two": example(t).Epochs, "one of a single server": one, "none": nil} {
		got, err := EpochsOf(messages(want))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: EpochsOf (-want +got):\n%s", name, diff)
		}
	}
}

func TestKeyEpochsThatDoNotHoldTogetherAreRefused(t *testing.T) {
	tests := []struct {
		name string
		edit func([]*wire.KeyEpoch) []*wire.KeyEpoch
	}{
		{"two in force", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[0].Retiring = false; return l }},
		{"the newer one retires", func(l []*wire.KeyEpoch) []*wire.KeyEpoch {
			l[0].Retiring, l[1].Retiring = false, true
			return l
		}},
		{"both retire", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].Retiring = true; return l }},
		{"one that retires alone", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { return l[:1] }},
		{"descending", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[0].Epoch = 4; return l }},
		{"one number twice", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[0].Epoch = 3; return l }},
		{"three", func(l []*wire.KeyEpoch) []*wire.KeyEpoch {
			return append([]*wire.KeyEpoch{{}}, l...)
		}},
		{"number 0", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[0].Epoch = 0; return l }},
		{"generation 0", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].Generation = 0; return l }},
		{"a short public key", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].PublicKey = l[1].PublicKey[1:]; return l }},
		{"no commitment", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].Federation = nil; return l }},
		{"threshold 0", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].Threshold = 0; return l }},
		{"a threshold over the shares", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].Threshold = 4; return l }},
		{"a threshold that is not the polynomial's", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].Threshold = 3; return l }},
		{"a share that is not the key's", func(l []*wire.KeyEpoch) []*wire.KeyEpoch {
			l[1].Shares[0].Key = l[1].Shares[1].Key
			return l
		}},
		{"a share of the other key", func(l []*wire.KeyEpoch) []*wire.KeyEpoch {
			l[1].Shares[2].Key = l[0].Shares[2].Key
			return l
		}},
		{"the other public key", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].PublicKey = l[0].PublicKey; return l }},
		{"shares under each other's numbers", func(l []*wire.KeyEpoch) []*wire.KeyEpoch {
			l[1].Shares[1].Key, l[1].Shares[2].Key = l[1].Shares[2].Key, l[1].Shares[1].Key
			return l
		}},
		{"a share out of order", func(l []*wire.KeyEpoch) []*wire.KeyEpoch {
			l[1].Shares[1], l[1].Shares[2] = l[1].Shares[2], l[1].Shares[1]
			return l
		}},
		{"a share under a number that wraps around", func(l []*wire.KeyEpoch) []*wire.KeyEpoch {
			l[1].Shares[2].Server += 1 << 16
			return l
		}},
		{"a short share", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].Shares[0].Key = nil; return l }},
		{"no shares", func(l []*wire.KeyEpoch) []*wire.KeyEpoch { l[1].Shares = nil; return l }},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			list := tt.edit(messages(example(t).Epochs))
			if got, err := EpochsOf(list); err == nil {
				t.Errorf("EpochsOf took %d epochs", len(got))
			}
		})
	}
}
