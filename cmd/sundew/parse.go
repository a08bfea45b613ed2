package main

import (
	"bufio"
	"context"
	"errors"
	"flag"
	"fmt"
	"io"

	"sundew/ingest"
)

func runParse(ctx context.Context, flags *flag.FlagSet, args []string, t terminal) error {
	format := flags.String("format", "auto", "log `format`: auto or one of "+formatNames())
	files, err := parseFlags(flags, args, 1, -1)
	if err != nil {
		return err
	}
	source, err := openLogs(files, ingest.FileConfig{Format: *format}, t)
	if err != nil {
		return err
	}
	defer source.Close()
	out := bufio.NewWriterSize(t.out, 1<<16)
	defer out.Flush()

	var line []byte
	for {
		batch, err := source.Next(ctx)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("parse: %w", err)
		}
		for i := range batch.Events {
			line = append(batch.Events[i].AppendJSON(line[:0]), '\n')
			if _, err := out.Write(line); err != nil {
				return fmt.Errorf("write events: %w", err)
			}
		}
		for _, letter := range batch.Rejected {
			fmt.Fprintf(t.err, "%s:%d: %s: %s: %.200q\n", letter.Source, letter.Offset+1, letter.Reason, letter.Detail, letter.Line)
		}
	}
	source.done()
	fmt.Fprint(t.err, linesSummary(source.Stats()))
	return out.Flush()
}

// openLogs opens log files with progress on a terminal. A wrong format name is a mistake in the call.
func openLogs(files []string, c ingest.FileConfig, t terminal) (*logFiles, error) {
	if _, err := ingest.NewDecoder(c.Format); err != nil {
		return nil, usageError{err.Error()}
	}
	progress := newProgress(t.err)
	c.OnProgress = progress.show
	source, err := ingest.OpenFiles(files, c)
	if err != nil {
		return nil, err
	}
	return &logFiles{source, progress}, nil
}

// logFiles are files whose reading shows.
type logFiles struct {
	*ingest.Files
	progress *progress
}

// done ends the progress line.
func (l *logFiles) done() { l.progress.done() }
