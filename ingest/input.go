package ingest

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"sync/atomic"

	"github.com/klauspost/compress/gzip"
	"github.com/klauspost/compress/zstd"
)

const stdinPath = "-"

// maxWindow bounds the memory that a zstd file can ask for; zstd's own --long default is 128 MiB.
const maxWindow = 128 << 20

var (
	gzipMagic = []byte{0x1f, 0x8b}
	zstdMagic = []byte{0x28, 0xb5, 0x2f, 0xfd}
	utf8BOM   = []byte("\ufeff")
)

// input is the plain content of a file.
type input struct {
	io.Reader
	compression string // gzip, zstd or none
	live        bool   // more may arrive later, as on a pipe
	close       func()
}

// checkInput reports what would keep path from being read; size is -1 where it is unknown.
func checkInput(path string) (size int64, err error) {
	if path == stdinPath {
		return -1, nil
	}
	f, err := openPath(path)
	if err != nil {
		return 0, err
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return 0, fmt.Errorf("look at %s: %w", path, err)
	}
	if info.IsDir() {
		return 0, fmt.Errorf("%s is a directory: name the log files in it", path)
	}
	if !info.Mode().IsRegular() {
		return -1, nil
	}
	return info.Size(), nil
}

func openPath(path string) (*os.File, error) {
	f, err := os.Open(path)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return nil, fmt.Errorf("%s does not exist: correct the path, or give - for standard input", path)
	case errors.Is(err, fs.ErrPermission):
		return nil, fmt.Errorf("%s may not be read by this user: grant read permission, or run as a user that has it", path)
	case err != nil:
		return nil, fmt.Errorf("open log file: %w", err)
	}
	return f, nil
}

// openInput opens path and undoes its compression; read counts the bytes that come from the file.
func openInput(path string, read *atomic.Int64) (*input, error) {
	if path == stdinPath {
		info, err := os.Stdin.Stat()
		live := err != nil || !info.Mode().IsRegular()
		return plainInput(path, os.Stdin, read, live, func() {})
	}
	f, err := openPath(path)
	if err != nil {
		return nil, err
	}
	in, err := plainInput(path, f, read, false, func() { _ = f.Close() })
	if err != nil {
		_ = f.Close()
		return nil, err
	}
	return in, nil
}

func plainInput(path string, r io.Reader, read *atomic.Int64, live bool, closeFile func()) (*input, error) {
	buffered := bufio.NewReaderSize(&countingReader{r, read}, 64<<10)
	magic, err := buffered.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	in := &input{Reader: buffered, live: live, close: closeFile}
	switch {
	case bytes.HasPrefix(magic, gzipMagic):
		z, err := gzip.NewReader(buffered)
		if err != nil {
			return nil, fmt.Errorf("%s: the gzip header is damaged: %w", path, err)
		}
		in.Reader, in.compression = z, "gzip"
	case bytes.Equal(magic, zstdMagic):
		z, err := zstd.NewReader(buffered, zstd.WithDecoderConcurrency(1), zstd.WithDecoderMaxWindow(maxWindow))
		if err != nil {
			return nil, fmt.Errorf("%s: the zstd header is damaged: %w", path, err)
		}
		in.Reader, in.compression = z, "zstd"
		in.close = func() { z.Close(); closeFile() }
	case bytes.HasPrefix(magic, utf8BOM):
		_, _ = buffered.Discard(len(utf8BOM))
	}
	return in, nil
}

type countingReader struct {
	r io.Reader
	n *atomic.Int64
}

func (c *countingReader) Read(p []byte) (int, error) {
	n, err := c.r.Read(p)
	c.n.Add(int64(n))
	return n, err
}
