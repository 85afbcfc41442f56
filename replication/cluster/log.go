package cluster

import (
	"context"
	"fmt"
	"io"
	"log/slog"

	"github.com/hashicorp/go-hclog"
	"github.com/hashicorp/raft"
)

// bridge passes raft's own log on to ours. Raft names servers by their keys,
// which are replaced by their numbers; of its values only those that can hold
// no contents are passed on.
func bridge(to *slog.Logger, names func(string) string) hclog.Logger {
	logger := hclog.NewInterceptLogger(&hclog.LoggerOptions{Name: "raft", Output: io.Discard, Level: hclog.Off})
	logger.RegisterSink(&sink{log: to, names: names})
	return logger
}

type sink struct {
	log   *slog.Logger
	names func(string) string
}

// Accept is called by hclog for each line, of whatever level.
func (s *sink) Accept(_ string, level hclog.Level, message string, args ...any) {
	at := slogLevel(level)
	if !s.log.Enabled(context.Background(), at) {
		return
	}
	attributes := []slog.Attr{slog.String("raft", s.names(message))}
	for i := 0; i+1 < len(args); i += 2 {
		name, named := args[i].(string)
		if a, ok := s.attribute(name, args[i+1]); named && ok {
			attributes = append(attributes, a)
		}
	}
	s.log.LogAttrs(context.Background(), at, "replication", attributes...)
}

// attribute passes on numbers, errors and names; other values could hold
// anything.
func (s *sink) attribute(name string, value any) (a slog.Attr, ok bool) {
	text := ""
	switch v := value.(type) {
	case bool, int, int32, int64, uint, uint32, uint64, float64:
		return slog.Any(name, v), true
	case error:
		text = v.Error()
	case fmt.Stringer:
		text = v.String()
	case string:
		text = v
	case raft.ServerID:
		text = string(v)
	case raft.ServerAddress:
		text = string(v)
	}
	return slog.String(name, s.names(text)), text != ""
}

func slogLevel(l hclog.Level) slog.Level {
	switch l {
	case hclog.Error:
		return slog.LevelError
	case hclog.Warn:
		return slog.LevelWarn
	case hclog.Info:
		return slog.LevelInfo
	}
	return slog.LevelDebug
}
