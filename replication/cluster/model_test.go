package cluster

import (
	"fmt"
	"math"
	"testing"

	"github.com/anishathalye/porcupine"
)

// value is what one agency's application says: the last of those with the
// latest time. No two have the same.
type value struct {
	time    uint64
	contact string
}

// kind is what an operation does to the register that an agency's application is.
type kind int

const (
	reads    kind = iota // sees output
	writes               // was taken
	mayWrite             // was not answered, or overtaken: has an effect once or never
	isAfter              // saw a later time than the input's
)

type input struct {
	key   int
	kind  kind
	value value
}

// register is the sequential specification of what package registry does with
// the applications of one key, and package cluster with reads.
func register() porcupine.Model {
	model := porcupine.NondeterministicModel{
		Partition: func(history []porcupine.Operation) [][]porcupine.Operation {
			byKey := make(map[int][]porcupine.Operation)
			for _, o := range history {
				key := o.Input.(input).key
				byKey[key] = append(byKey[key], o)
			}
			var all [][]porcupine.Operation
			for _, part := range byKey {
				all = append(all, part)
			}
			return all
		},
		Init: func() []any { return []any{value{}} },
		Step: func(state, in, out any) []any {
			now, i := state.(value), in.(input)
			switch i.kind {
			case reads:
				if now == out.(value) {
					return []any{now}
				}
			case writes:
				if i.value.time > now.time {
					return []any{i.value}
				}
			case mayWrite:
				if i.value.time > now.time {
					return []any{now, i.value}
				}
				return []any{now}
			case isAfter:
				if now.time > i.value.time {
					return []any{now}
				}
			}
			return nil
		},
		DescribeOperation: func(in, out any) string { return fmt.Sprintf("%+v -> %v", in, out) },
	}
	return model.ToModel()
}

// forever is when an operation returns that was never answered.
const forever = math.MaxInt64

func TestTheModelTellsStaleReadsFromGoodOnes(t *testing.T) {
	one, two := value{1, "one"}, value{2, "two"}
	operation := func(call, ret int64, k kind, in, out value) porcupine.Operation {
		return porcupine.Operation{Input: input{0, k, in}, Output: out, Call: call, Return: ret}
	}
	for _, row := range []struct {
		what    string
		history []porcupine.Operation
		want    bool
	}{
		{"a read of what was written", []porcupine.Operation{operation(1, 2, writes, one, one), operation(3, 4, reads, one, one)}, true},
		{"a read of what was overwritten", []porcupine.Operation{
			operation(1, 2, writes, one, one), operation(3, 4, writes, two, two), operation(5, 6, reads, one, one)}, false},
		{"a write that was never answered is seen, and not any more", []porcupine.Operation{
			operation(1, forever, mayWrite, one, one), operation(3, 4, reads, one, one), operation(5, 6, reads, value{}, value{})}, false},
		{"a write that was never answered is seen late", []porcupine.Operation{
			operation(1, forever, mayWrite, one, one), operation(3, 4, reads, value{}, value{}), operation(5, 6, reads, one, one)}, true},
		{"an acknowledged write is lost", []porcupine.Operation{operation(1, 2, writes, one, one), operation(3, 4, reads, value{}, value{})}, false},
		{"refused as older, with nothing newer", []porcupine.Operation{operation(1, 2, isAfter, one, one)}, false},
	} {
		if got := porcupine.CheckOperations(register(), row.history); got != row.want {
			t.Errorf("%s: got linearizable %v, want %v", row.what, got, row.want)
		}
	}
}
