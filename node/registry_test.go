package node

import (
	"context"
	"crypto/sha512"
	"errors"

	"interlock/crypto/oprf"
	"interlock/crypto/token"
	"interlock/node/tokens"
	"interlock/protocol/directory"
	"interlock/protocol/identifier"
)

// registry stands for the token servers: any holder gets the same token, and
// it can be down. It makes tokens of the newest epoch; none set is epoch 1.
type registry struct {
	down    bool
	epochs  []token.Epoch // that match
	asked   int           // tokens made
	daily   uint64        // budget of an agency; 0 for the usual one
	between func()        // called, where set, between the asking and the answer
}

// tokenOf is the token of an identifier under the key of an epoch.
func tokenOf(i identifier.Identifier, e token.Epoch) oprf.Token {
	return sha512.Sum512(append(i.Input(), byte(e)))
}

func (r *registry) current() token.Epoch {
	if len(r.epochs) == 0 {
		return 1
	}
	return r.epochs[len(r.epochs)-1]
}

func (r *registry) Tokens(_ context.Context, ids []identifier.Identifier, _ tokens.Urgency) ([]oprf.Token, token.Epoch, error) {
	if r.down {
		return nil, 0, errors.New("registry down")
	}
	r.asked += len(ids)
	epoch := r.current()
	if r.between != nil {
		r.between()
	}
	out := make([]oprf.Token, len(ids))
	for n, i := range ids {
		out[n] = tokenOf(i, epoch)
	}
	return out, epoch, nil
}

// directory is what the registry publishes.
func (r *registry) directory(agencies []directory.Agency) *directory.Directory {
	d := &directory.Directory{Agencies: agencies, Policy: directory.FirstPolicy()}
	if r.daily > 0 {
		d.Policy.Daily = r.daily
	}
	for _, e := range r.epochs {
		d.Epochs = append(d.Epochs, directory.KeyEpoch{Epoch: e, Retiring: e != r.current()})
	}
	if len(d.Epochs) == 0 {
		d.Epochs = []directory.KeyEpoch{{Epoch: 1}}
	}
	return d
}
