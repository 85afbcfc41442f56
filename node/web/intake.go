package web

import (
	"bytes"
	"errors"
	"io"
	"mime/multipart"
	"net/http"
	"net/url"
	"strings"

	"interlock/node/casefile"
	"interlock/node/desk"
	"interlock/node/intake"
	"interlock/protocol/pages"
)

// pastedName is where identifiers of a pasted text are said to come from.
const pastedName = "Pasted text"

// handedIn is what one paste or upload brought.
type handedIn struct {
	text    string
	files   int
	reports []intake.Report // of the text first, where there is one
	unread  []*casefile.Sentence
}

// What is wrong with a paste or upload as a whole.
var (
	errNothing = &casefile.Sentence{Text: "There is nothing to look through yet.", Hint: "Paste a text or choose a file."}
	errPasted  = &casefile.Sentence{Text: "The pasted text has more than 256,000 bytes.", Hint: "Save it as a file and choose that."}
	errFiles   = &casefile.Sentence{Text: "One upload takes at most 20 files.", Hint: "Hand the others in after these."}
)

// takeIn reads a paste or an upload, keeps what was found as drafts, and
// leads to the page where the officer looks at it.
func (s *site) takeIn(w http.ResponseWriter, r *http.Request, v visitor) error {
	id, err := caseOf(r)
	if err != nil {
		return err
	}
	if err := pages.TakeTime(w, longTimeout); err != nil {
		return err
	}
	in, err := s.readHandedIn(r)
	var drafts []desk.DraftID
	if err == nil {
		drafts, err = s.keepDrafts(v, id, in)
	}
	if err != nil {
		return s.caseAgain(w, r, v, err, func(view *caseView, n *notice) { view.Problem, view.Pasted = n, in.text })
	}
	return goTo(w, r, checkPath(id, drafts))
}

// readHandedIn reads the form part by part, so that no file is held whole.
func (s *site) readHandedIn(r *http.Request) (in handedIn, err error) {
	parts, err := r.MultipartReader()
	if err != nil {
		return in, errors.Join(pages.ErrBrokenForm, err)
	}
	for {
		part, err := parts.NextPart()
		if err == io.EOF {
			break
		}
		if err != nil {
			return in, cutShort(err)
		}
		if err := s.readPart(&in, part); err != nil {
			return in, err
		}
	}
	switch {
	case len(in.reports) == 0 && len(in.unread) > 0:
		return in, in.unread[0]
	case len(in.reports) == 0:
		return in, errNothing
	}
	for _, u := range in.unread {
		in.reports[0].Problems = append(in.reports[0].Problems, intake.Problem{Sentence: u.Error()})
	}
	return in, nil
}

func (s *site) readPart(in *handedIn, part *multipart.Part) error {
	switch {
	case part.FormName() == "text":
		var text bytes.Buffer
		if _, err := io.Copy(&text, part); err != nil {
			return cutShort(err)
		}
		in.text = strings.ReplaceAll(text.String(), "\r\n", "\n")
		switch {
		case len(in.text) > casefile.MaxNote:
			return errPasted
		case strings.TrimSpace(in.text) != "":
			in.reports = append(in.reports, intake.Text(pastedName, in.text, s.region))
		}
	case part.FormName() == "file" && part.FileName() != "":
		if in.files++; in.files > maxFiles {
			return errFiles
		}
		report, err := intake.Read(part.FileName(), part, s.region)
		var unread *casefile.Sentence
		if errors.As(err, &unread) {
			in.unread = append(in.unread, unread) // the other files are kept
			return nil
		}
		if err != nil {
			return cutShort(err)
		}
		in.reports = append(in.reports, report)
	}
	return nil
}

// cutShort tells a form that was too large, or did not arrive whole, from
// what a reader of files has to say.
func cutShort(err error) error {
	var tooLarge *http.MaxBytesError
	var sentence *casefile.Sentence
	if errors.As(err, &tooLarge) || errors.As(err, &sentence) {
		return err
	}
	return errors.Join(pages.ErrBrokenForm, err)
}

// keepDrafts makes a draft of each report. The text goes with the first, as
// it is saved as a note with its identifiers.
func (s *site) keepDrafts(v visitor, id casefile.CaseID, in handedIn) ([]desk.DraftID, error) {
	var drafts []desk.DraftID
	for i, report := range in.reports {
		text := ""
		if i == 0 && strings.TrimSpace(in.text) != "" {
			text = in.text
		}
		draft, err := s.desk.Draft(v.Officer, id, report, text)
		if err != nil {
			return nil, err
		}
		drafts = append(drafts, draft)
	}
	return drafts, nil
}

func checkPath(id casefile.CaseID, drafts []desk.DraftID) string {
	query := url.Values{}
	for _, d := range drafts {
		query.Add("draft", d.String())
	}
	return casePath(id) + "/check?" + query.Encode()
}
