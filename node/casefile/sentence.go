package casefile

// Sentence is an error written for the officer: what is wrong and what to do
// next, safe to show as it is.
type Sentence struct {
	Text string // one sentence, with its full stop
	Hint string // what to do next; may be empty
}

func (s *Sentence) Error() string {
	if s.Hint == "" {
		return s.Text
	}
	return s.Text + " " + s.Hint
}
