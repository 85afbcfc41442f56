package netns

import (
	"encoding/json"
	"fmt"
	"os"
	"regexp"
	"time"
)

// as is how an operator names the network, seen whole or (only) one server of
// it, and the own keys.
func (o *town) as(p *party, only *party) []string {
	file := "network.toml"
	if only != nil {
		file = "only-" + only.name + ".toml"
	}
	return []string{"--network", o.path("net", file), "--operator", o.path("net", "operators", p.name+".age")}
}

// view is what a server's status shows.
type view struct {
	Version, Endorsed, Applied int
	Leader, Asked              string
	Keys                       []struct{ Shares int }
	Servers                    []struct{ Share int }
	Agencies                   []struct {
		ID, Status string
		By         string `json:"suspended_by"`
	}
}

func (v view) agency(id string) string {
	for _, a := range v.Agencies {
		if a.ID == id {
			return a.Status
		}
	}
	return "unknown"
}

// ask is the status that this server alone gives an operator.
func (o *town) ask(by, server *party) (v view, err error) {
	out, err := o.try(by, append([]string{"registry", "status", "--json"}, o.as(by, server)...)...)
	if err != nil {
		return v, fmt.Errorf("%w: %s", err, out)
	}
	if err := json.Unmarshal([]byte(out), &v); err != nil {
		return v, err
	}
	if v.Asked != server.name {
		return v, fmt.Errorf("%s answered, not %s", v.Asked, server.name)
	}
	return v, nil
}

// await asks again and again until what is shown is what is wanted.
func await[T any](o *town, what string, show func() (T, error), wanted func(T) bool) T {
	o.t.Helper()
	start, again := time.Now(), time.NewTicker(200*time.Millisecond)
	defer again.Stop()
	for {
		got, err := show()
		if err == nil && wanted(got) {
			o.t.Logf("%5.1f s until %s", time.Since(start).Seconds(), what)
			return got
		}
		if time.Since(start) > patience {
			o.t.Fatalf("%s: not within %s; last seen %+v, %v", what, patience, got, err)
		}
		<-again.C
	}
}

// onlyFiles writes, beside the network file, for each server one in which the
// others have an address where nobody listens.
func (o *town) onlyFiles() {
	o.t.Helper()
	b, err := os.ReadFile(o.path("net", "network.toml"))
	if err != nil {
		o.t.Fatal(err)
	}
	address := regexp.MustCompile(`(?m)^addresses = .*$`)
	for i, s := range o.servers {
		at := -1
		only := address.ReplaceAllStringFunc(string(b), func(line string) string {
			if at++; at == i {
				return line
			}
			return "addresses = ['/ip4/127.0.0.1/tcp/9']"
		})
		if err := os.WriteFile(o.path("net", "only-"+s.name+".toml"), []byte(only), 0o600); err != nil {
			o.t.Fatal(err)
		}
	}
}
