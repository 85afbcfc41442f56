package testnet

import (
	"fmt"
	"testing"
)

func TestAFederationOutlivesChaos(t *testing.T) {
	for _, seed := range []uint64{1} {
		t.Run(fmt.Sprintf("seed %d", seed), func(t *testing.T) {
			p := Plan{Dir: t.TempDir(), Agencies: Members("aurora-pd", "boulder-so", "denver-pd", "pueblo-pd")}
			if err := Chaos(t.Context(), p, Turmoil{Seed: seed, Rounds: 3, Liar: true}, t.Output()); err != nil {
				t.Fatal(err)
			}
		})
	}
}
