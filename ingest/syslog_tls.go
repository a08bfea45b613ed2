package ingest

import (
	"crypto/tls"
	"log/slog"
	"os"
	"sync"
	"time"
)

// tlsFiles follows the files of a socket's certificates: every handshake looks at them, so that renewed ones need no
// restart. Files that cannot be used leave what was read before in use. Any number of goroutines may use it.
type tlsFiles struct {
	config SyslogConfig
	log    *slog.Logger

	mu     sync.Mutex
	looks  fileLooks
	loaded *tls.Config
}

// fileLooks tells certificate, key and the senders' authority from what they were before.
type fileLooks [3]struct {
	changed time.Time
	size    int64
}

// openTLSFiles reads the files; an error says which cannot be used.
func openTLSFiles(c SyslogConfig, log *slog.Logger) (*tlsFiles, error) {
	f := &tlsFiles{config: c, log: log, looks: c.lookAtTLS()}
	var err error
	f.loaded, err = c.loadTLS()
	return f, err
}

func (c SyslogConfig) lookAtTLS() (looks fileLooks) {
	for i, path := range []string{c.CertFile, c.KeyFile, c.ClientCAFile} {
		if info, err := os.Stat(path); err == nil {
			looks[i].changed, looks[i].size = info.ModTime(), info.Size()
		}
	}
	return looks
}

// server returns what handshakes begin with.
func (f *tlsFiles) server() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS12,
		GetConfigForClient: func(*tls.ClientHelloInfo) (*tls.Config, error) { return f.current(), nil },
	}
}

// current reads the files again where one has changed since the last look.
func (f *tlsFiles) current() *tls.Config {
	f.mu.Lock()
	defer f.mu.Unlock()
	looks := f.config.lookAtTLS()
	if looks == f.looks {
		return f.loaded
	}
	f.looks = looks // a pair that does not fit yet is read again when its other half has changed
	fresh, err := f.config.loadTLS()
	if err != nil {
		f.log.Warn("certificates cannot be read, the ones of before stay in use: mend the files", "error", err)
		return f.loaded
	}
	f.loaded = fresh
	f.log.Info("certificates are read anew")
	return fresh
}
