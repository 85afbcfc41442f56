package web

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"interlock/node/desk"
	"interlock/protocol/pages"
)

// What came of a form, as it travels to the page that the form leads to: in a
// cookie that holds a word and numbers, and is taken back when it was read.
const (
	answerNote    = "note"
	answerGone    = "gone"
	answerDropped = "dropped"
	answerMuted   = "muted"
	answerUnmuted = "unmuted"
	answerSaved   = "saved" // then added, already, waiting, alerts

	// Each is followed by how many identifiers.
	answerHandled   = "handled"
	answerWithdrawn = "withdrawn"
	answerPurged    = "purged"
)

// answer is a line on a page that says what happened.
type answer struct {
	Text     string
	More     []string
	Match    bool     // an alert came of it
	Coverage coverage // where none did, what that means
}

func (s *site) answerName() string { return s.cookies.Prefix + "-said" }

func (s *site) giveAnswer(w http.ResponseWriter, value string) {
	http.SetCookie(w, s.cookies.Cookie(s.answerName(), value))
}

func (s *site) giveSaved(w http.ResponseWriter, saved desk.Saved, alerts int) {
	s.giveAnswer(w, fmt.Sprintf("%s.%d.%d.%d.%d", answerSaved, saved.Added, saved.Already, saved.Waiting, alerts))
}

// takeAnswer returns what the last form came to, once.
func (s *site) takeAnswer(w http.ResponseWriter, r *http.Request) *answer {
	cookie, err := r.Cookie(s.answerName())
	if err != nil {
		return nil
	}
	s.cookies.Take(w, s.answerName())
	switch cookie.Value {
	case answerNote:
		return &answer{Text: "The note is saved."}
	case answerGone:
		return &answer{Text: "This was saved or discarded before; nothing was done twice."}
	case answerDropped:
		return &answer{Text: "Discarded. Nothing was saved."}
	case answerMuted:
		return &answer{Text: "Muted. It raises no alert from now on, in any case of this agency."}
	case answerUnmuted:
		return &answer{Text: "No longer muted. What it met meanwhile is looked for now, and raises its alerts."}
	}
	if a := handledAnswer(cookie.Value); a != nil {
		return a
	}
	var saved desk.Saved
	var alerts int
	numbers, ok := strings.CutPrefix(cookie.Value, answerSaved+".")
	if !ok {
		return nil
	}
	if _, err := fmt.Sscanf(numbers, "%d.%d.%d.%d", &saved.Added, &saved.Already, &saved.Waiting, &alerts); err != nil {
		return nil
	}
	return s.savedAnswer(saved, alerts)
}

func (s *site) giveHandled(w http.ResponseWriter, what string, count int) {
	s.giveAnswer(w, fmt.Sprintf("%s.%d", what, count))
}

const takesEffect = "It takes effect at each member as soon as that has caught up. Who has not is named below."

// handledAnswer says what became of identifiers that were handled otherwise.
func handledAnswer(value string) *answer {
	what, number, _ := strings.Cut(value, ".")
	count, err := strconv.Atoi(number)
	if err != nil {
		return nil
	}
	many := pages.Many(count, "identifier", "identifiers")
	switch what {
	case answerHandled:
		return &answer{Text: "Changed who may learn of " + many + "."}
	case answerWithdrawn:
		return &answer{Text: "Withdrew " + many + ".", More: []string{takesEffect}}
	case answerPurged:
		return &answer{Text: "Purged " + many + " from this case.", More: []string{takesEffect}}
	}
	return nil
}

// savedAnswer says what became of identifiers, and what is known by it.
func (s *site) savedAnswer(saved desk.Saved, alerts int) *answer {
	a := &answer{Text: pages.Many(saved.Added, "identifier", "identifiers") + " saved", Match: alerts > 0}
	switch {
	case saved.Added == 0 && saved.Already == 0:
		a.Text = "Saved, without identifiers."
		return a
	case saved.Already == 1:
		a.Text += ", 1 was already held"
	case saved.Already > 1:
		a.Text += ", " + pages.Grouped(saved.Already) + " were already held"
	}
	a.Text += "."
	if saved.Waiting > 0 {
		a.More = append(a.More, fmt.Sprintf("%s %s for the registry, and will be compared as soon as it answers. There is nothing for you to do.",
			pages.Grouped(saved.Waiting), verb(saved.Waiting, "waits", "wait")))
	}
	switch {
	case alerts > 0:
		a.More = append(a.More, pages.Many(alerts, "alert", "alerts")+" came of it: read it before you take the next step in this case.")
	case saved.Added > saved.Waiting:
		a.Coverage = s.coverage()
	}
	return a
}
