package console

import (
	"fmt"
	"net/url"
	"strconv"
	"strings"

	"interlock/protocol/directory"
	"interlock/protocol/link"
	"interlock/protocol/pages"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
	"interlock/replication/centre"
)

func cardField() field {
	return field{Name: "card", Label: "Server card", Kind: "area", Hint: "The text of the file that was made with the server’s keys, on the server’s machine. It holds no secret."}
}

func serverChoice(v *visit, name, label, chosen string) field {
	choice := field{Name: name, Label: label, Kind: "select"}
	for _, s := range v.status.Servers {
		n := fmt.Sprint(s.Index)
		choice.Options = append(choice.Options, option{n, fmt.Sprintf("%s (server %s)", s.Name, n), n == chosen})
	}
	return choice
}

func serverAddFields(v *visit, _ url.Values) []field {
	return []field{cardField(), thresholdField(v)}
}

func serverReplaceFields(v *visit, q url.Values) []field {
	return []field{serverChoice(v, "replaces", "The server that leaves", q.Get("replaces")), cardField(), thresholdField(v)}
}

// buildServerAdd adds a server, in place of another where one was chosen.
func buildServerAdd(v *visit, q url.Values) (*wire.Motion, error) {
	var card centre.ServerCard
	if err := settings.Decode([]byte(q.Get("card")), &card); err != nil {
		return nil, wrong("This is not a server card.", sentenceOf(err.Error()))
	}
	m, err := card.Message()
	if err != nil {
		return nil, wrong("The server card cannot be used.", sentenceOf(err.Error()))
	}
	t, err := numberIn(q, "threshold", directory.MaxServers)
	if err != nil {
		return nil, err
	}
	replaces, err := numberIn(q, "replaces", 1<<16)
	return serverMotion(&wire.ServerChange{Server: m, Threshold: uint32(t), Replaces: uint32(replaces)}), err
}

func serverRemoveFields(v *visit, q url.Values) []field {
	return []field{serverChoice(v, "server", "Server", q.Get("server")), thresholdField(v), confirmField("server")}
}

func chosenServer(v *visit, q url.Values) (directory.Server, error) {
	n, err := numberIn(q, "server", 1<<16)
	if err != nil {
		return directory.Server{}, err
	}
	s, ok := serverOf(v.status, uint32(n))
	if !ok {
		return s, wrong("Choose a server.", "")
	}
	return s, nil
}

func buildServerRemove(v *visit, q url.Values) (*wire.Motion, error) {
	s, err := chosenServer(v, q)
	if err == nil {
		err = confirmed(q, s.Name)
	}
	if err != nil {
		return nil, err
	}
	t, err := numberIn(q, "threshold", directory.MaxServers)
	return serverMotion(&wire.ServerChange{Server: &wire.Server{Index: uint32(s.Index)}, Remove: true, Threshold: uint32(t)}), err
}

func serverMoveFields(v *visit, q url.Values) []field {
	choice := serverChoice(v, "server", "Server", q.Get("server"))
	f := []field{choice,
		{Name: "name", Label: "Name", Kind: "text", Optional: true, Hint: "Empty: as it is."},
		{Name: "addresses", Label: "Addresses", Kind: "area", Hint: "Multiaddresses where others dial it, one a line."}}
	n, err := strconv.ParseUint(q.Get("server"), 10, 16)
	if s, ok := serverOf(v.status, uint32(n)); err == nil && ok {
		f[1].Value, f[2].Value = s.Name, strings.Join(s.Addresses, "\n")
	}
	return f
}

func buildServerMove(v *visit, q url.Values) (*wire.Motion, error) {
	s, err := chosenServer(v, q)
	if err != nil {
		return nil, err
	}
	m := s.Message()
	if name := strings.TrimSpace(q.Get("name")); name != "" {
		m.Name = name
	}
	m.Addresses = strings.Fields(q.Get("addresses"))
	if len(m.Addresses) == 0 {
		return nil, wrong("Name at least one address.", "For example /dns4/registry.example.org/tcp/4001.")
	}
	for _, a := range m.Addresses {
		if err := link.ParseAddress(a); err != nil {
			return nil, wrong("“"+a+"” is not an address that a node can dial.", "For example /dns4/registry.example.org/tcp/4001.")
		}
	}
	return serverMotion(&wire.ServerChange{Server: m}), nil
}

func serverMotion(m *wire.ServerChange) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_Server{Server: m}}
}

// numberIn reads a number, written with or without commas; empty is 0.
func numberIn(q url.Values, name string, most uint64) (uint64, error) {
	text := strings.NewReplacer(",", "", " ", "", "_", "").Replace(q.Get(name))
	if text == "" {
		return 0, nil
	}
	n, err := strconv.ParseUint(text, 10, 64)
	if err != nil || n > most {
		return 0, wrong("“"+q.Get(name)+"” is not a number that fits here.", "Want 0 to "+pages.Grouped(most)+".")
	}
	return n, nil
}
