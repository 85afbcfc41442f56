package console

import (
	"fmt"
	"net/url"
	"slices"
	"strings"

	"interlock/protocol/directory"
	"interlock/protocol/settings"
	"interlock/protocol/wire"
	"interlock/replication/centre"
	"interlock/replication/registry"
)

// kind is one kind of motion, and the form that puts it.
type kind struct {
	Slug, Group, Title, What string
	role                     registry.Role
	fields                   func(v *visit, q url.Values) []field
	build                    func(v *visit, q url.Values) (*wire.Motion, error)
}

// field is one field of such a form.
type field struct {
	Name, Label, Hint, Kind string // Kind: text, number, area, confirm, select, check, boxes
	Value                   string
	Options                 []option
	Optional                bool
}

// option is one thing to choose.
type option struct {
	Value, Text string
	Chosen      bool
}

// kinds are the motions that there are.
func kinds() []kind {
	a, o := registry.Admission, registry.Operations
	return []kind{
		{"agency-remove", "Agencies", "Remove an agency", "Takes an agency out of the directory for good. To come back it applies anew.", a, agencyFields(registry.RemoveAgency), buildAgency(registry.RemoveAgency)},
		{"agency-reinstate", "Agencies", "Reinstate an agency", "Lets a suspended agency take part again.", a, agencyFields(registry.ReinstateAgency), buildAgency(registry.ReinstateAgency)},
		{"policy", "Policy", "Change the policy", "Quotas, retention, groups, and what happens to a forked feed.", o, policyFields, buildPolicy},
		{"server-add", "Registry servers", "Add a server", "A further server joins; the token key is shared anew.", o, serverAddFields, buildServerAdd},
		{"server-replace", "Registry servers", "Replace a server", "A new server joins as an old one leaves.", o, serverReplaceFields, buildServerAdd},
		{"server-remove", "Registry servers", "Remove a server", "A server leaves; the token key is shared anew.", o, serverRemoveFields, buildServerRemove},
		{"server-move", "Registry servers", "Change a server’s addresses", "Same server, same keys, other name or addresses.", o, serverMoveFields, buildServerMove},
		{"operator-add", "Operators", "Add an operator", "Somebody else may decide, with roles.", o, operatorAddFields, buildOperatorAdd},
		{"operator-roles", "Operators", "Change an operator’s roles", "What somebody may do from now on.", o, operatorRolesFields, buildOperatorRoles},
		{"operator-remove", "Operators", "End an operator’s roles", "Somebody decides nothing any more.", o, operatorRemoveFields, buildOperatorRemove},
		{"new-epoch", "Keys", "Make a new token key", "A new key epoch: every agency makes its tokens anew.", o, thresholdFields, buildNewEpoch},
		{"retire-epoch", "Keys", "Retire a key epoch", "The old key’s tags match no more.", o, retireFields, buildRetire},
		{"reshare", "Keys", "Share the token key anew", "Same key, new shares, and another threshold if you wish.", o, thresholdFields, buildReshare},
	}
}

func kindOf(slug string) (kind, bool) {
	all := kinds()
	i := slices.IndexFunc(all, func(k kind) bool { return k.Slug == slug })
	if i < 0 {
		return kind{}, false
	}
	return all[i], true
}

// wrong is what is wrong with a field.
func wrong(text, hint string) error { return &sentence{text, hint} }

// confirmed asks for a name to be typed where a thing cannot be undone.
func confirmed(q url.Values, name string) error {
	if strings.TrimSpace(q.Get("confirm")) != name {
		return wrong("To confirm, type "+name+" exactly as it is written here.", "This cannot be undone, so the console asks twice.")
	}
	return nil
}

func confirmField(what string) field {
	return field{Name: "confirm", Label: "Type the name of the " + what + " to confirm", Kind: "confirm", Hint: "This cannot be undone."}
}

func agencyFields(change uint32) func(*visit, url.Values) []field {
	return func(v *visit, q url.Values) []field {
		choice := field{Name: "agency", Label: "Agency", Kind: "select"}
		for _, a := range v.status.Agencies {
			if change == registry.ReinstateAgency && a.Agency.Status != directory.Suspended {
				continue
			}
			id := string(a.Agency.ID)
			choice.Options = append(choice.Options, option{id, a.Agency.Name + " (" + id + ")", id == q.Get("agency")})
		}
		if change == registry.ReinstateAgency {
			return []field{choice}
		}
		confirm := confirmField("agency")
		confirm.Label = "Type the agency’s short name, which stands in brackets, to confirm"
		return []field{choice, confirm}
	}
}

func buildAgency(change uint32) func(*visit, url.Values) (*wire.Motion, error) {
	return func(v *visit, q url.Values) (*wire.Motion, error) {
		id := q.Get("agency")
		if id == "" {
			return nil, wrong("Choose an agency.", "")
		}
		if change == registry.RemoveAgency {
			if err := confirmed(q, id); err != nil {
				return nil, err
			}
		}
		return &wire.Motion{Of: &wire.Motion_Agency{Agency: &wire.AgencyChange{Agency: id, Change: change}}}, nil
	}
}

func thresholdField(v *visit) field {
	f := field{Name: "threshold", Label: "Servers needed for a token", Kind: "number", Optional: true, Hint: "Empty: as it is."}
	if t := thresholdOf(v.status); t > 0 {
		f.Hint = fmt.Sprintf("Empty: as it is, %d of %d.", t, len(v.status.Servers))
	}
	return f
}

func thresholdFields(v *visit, _ url.Values) []field { return []field{thresholdField(v)} }

func buildNewEpoch(v *visit, q url.Values) (*wire.Motion, error) {
	t, err := numberIn(q, "threshold", directory.MaxServers)
	return &wire.Motion{Of: &wire.Motion_NewEpoch{NewEpoch: &wire.NewEpoch{Threshold: uint32(t)}}}, err
}

func buildReshare(v *visit, q url.Values) (*wire.Motion, error) {
	t, err := numberIn(q, "threshold", directory.MaxServers)
	return &wire.Motion{Of: &wire.Motion_Reshare{Reshare: &wire.Reshare{Threshold: uint32(t)}}}, err
}

func retireFields(v *visit, _ url.Values) []field {
	choice := field{Name: "epoch", Label: "Key epoch", Kind: "select", Hint: "Only an epoch that a newer one replaces can be retired."}
	for _, e := range v.status.Epochs {
		if e.Retiring {
			choice.Options = append(choice.Options, option{Value: fmt.Sprint(e.Epoch), Text: fmt.Sprintf("Epoch %d", e.Epoch)})
		}
	}
	confirm := confirmField("epoch")
	confirm.Label, confirm.Hint = "Type “epoch” and its number to confirm", "For example: epoch 1. This cannot be undone."
	return []field{choice, confirm}
}

func buildRetire(v *visit, q url.Values) (*wire.Motion, error) {
	e, err := numberIn(q, "epoch", 1<<31)
	if err != nil || e == 0 {
		return nil, wrong("Choose a key epoch.", "One can be retired once a newer one is in force.")
	}
	if err := confirmed(q, fmt.Sprintf("epoch %d", e)); err != nil {
		return nil, err
	}
	return &wire.Motion{Of: &wire.Motion_RetireEpoch{RetireEpoch: &wire.RetireEpoch{Epoch: uint32(e)}}}, nil
}

func operatorAddFields(*visit, url.Values) []field {
	return []field{{Name: "card", Label: "Operator card", Kind: "area", Hint: "The text of the file that was made with the operator’s keys. It holds no secret."}}
}

func buildOperatorAdd(v *visit, q url.Values) (*wire.Motion, error) {
	var card centre.OperatorCard
	if err := settings.Decode([]byte(q.Get("card")), &card); err != nil {
		return nil, wrong("This is not an operator card.", sentenceOf(err.Error()))
	}
	m, err := card.Message()
	if err != nil {
		return nil, wrong("The operator card cannot be used.", sentenceOf(err.Error()))
	}
	return operatorMotion(m, false), nil
}

func operatorChoice(v *visit, q url.Values) field {
	choice := field{Name: "operator", Label: "Operator", Kind: "select"}
	for _, o := range v.status.Operators {
		if o.Roles != 0 {
			choice.Options = append(choice.Options, option{o.Key.Hex(), o.Name + " (" + o.Roles.String() + ")", o.Key.Hex() == q.Get("operator")})
		}
	}
	return choice
}

func operatorRolesFields(v *visit, q url.Values) []field {
	boxes := field{Name: "role", Label: "Roles from now on", Kind: "boxes", Options: []option{
		{"admission", "Admission: admits, refuses, suspends and invites agencies", slices.Contains(q["role"], "admission")},
		{"operations", "Operations: changes servers, keys, operators and policy", slices.Contains(q["role"], "operations")},
		{"audit", "Audit: looks, and reads the record", slices.Contains(q["role"], "audit")},
	}}
	return []field{operatorChoice(v, q), boxes}
}

func chosenOperator(v *visit, q url.Values) (registry.Operator, error) {
	i := slices.IndexFunc(v.status.Operators, func(o registry.Operator) bool { return o.Key.Hex() == q.Get("operator") })
	if i < 0 {
		return registry.Operator{}, wrong("Choose an operator.", "")
	}
	return v.status.Operators[i], nil
}

func buildOperatorRoles(v *visit, q url.Values) (*wire.Motion, error) {
	o, err := chosenOperator(v, q)
	if err != nil {
		return nil, err
	}
	roles, err := registry.ParseRoles(q["role"])
	if err != nil || roles == 0 {
		return nil, wrong("Tick at least one role.", "To take all of them, end the operator’s roles.")
	}
	return operatorMotion(&wire.Operator{Name: o.Name, Key: o.Key[:], Roles: uint32(roles)}, false), nil
}

func operatorRemoveFields(v *visit, q url.Values) []field {
	return []field{operatorChoice(v, q), confirmField("operator")}
}

func buildOperatorRemove(v *visit, q url.Values) (*wire.Motion, error) {
	o, err := chosenOperator(v, q)
	if err == nil {
		err = confirmed(q, o.Name)
	}
	return operatorMotion(&wire.Operator{Name: o.Name, Key: o.Key[:], Roles: uint32(o.Roles)}, true), err
}

func operatorMotion(o *wire.Operator, remove bool) *wire.Motion {
	return &wire.Motion{Of: &wire.Motion_Operator{Operator: &wire.OperatorChange{Operator: o, Remove: remove}}}
}
