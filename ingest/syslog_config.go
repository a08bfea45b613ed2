package ingest

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"
	"time"

	"sundew"
)

// SyslogConfig is one socket that takes log lines by syslog. A zero value means the default.
type SyslogConfig struct {
	// Listen is udp://, tcp:// or tls:// and host:port. UDP loses what comes while the broker is away, and counts it; the
	// others make the sender wait.
	Listen string `yaml:"listen"`
	// Name is shown in dead letters and metrics; by default it is the protocol and the port.
	Name string `yaml:"name"`
	// Accept are the networks that may send; by default this machine alone. Addresses of UDP packets can be forged.
	Accept []netip.Prefix `yaml:"accept"`
	Format string         `yaml:"format"` // of the lines, behind the syslog header; by default detected
	// Gateway is the gateway.id of lines that name none; by default syslog: and Name.
	Gateway string `yaml:"gateway"`

	// Files that change are read again at the next connection.
	CertFile     string `yaml:"cert_file"`      // PEM, the server's certificate and those between it and the root
	KeyFile      string `yaml:"key_file"`       // PEM
	ClientCAFile string `yaml:"client_ca_file"` // PEM; with it senders must show a certificate that it signed

	MaxMessage     int           `yaml:"max_message"`     // bytes; 480 to 65536, the default
	MaxConnections int           `yaml:"max_connections"` // at once; 256
	IdleTimeout    time.Duration `yaml:"idle_timeout"`    // between messages of a connection; 1h. One that has begun has 30s
	QueueBytes     int64         `yaml:"queue_bytes"`     // of messages that the broker has not acknowledged; 16 MiB
}

const (
	minMessage        = 480 // RFC 5424, section 6.1
	defaultSyslogPeer = 256
	defaultIdle       = time.Hour
	defaultQueue      = 16 << 20
)

// withDefaults fills what the configuration leaves out.
func (c SyslogConfig) withDefaults() SyslogConfig {
	protocol, address, _ := strings.Cut(c.Listen, "://")
	_, port, _ := net.SplitHostPort(address)
	c.Name = cmp.Or(c.Name, protocol+":"+port)
	c.Format = cmp.Or(c.Format, autoName)
	c.Gateway = cmp.Or(c.Gateway, "syslog:"+c.Name)
	c.MaxMessage = cmp.Or(c.MaxMessage, sundew.MaxLine)
	c.MaxConnections = cmp.Or(c.MaxConnections, defaultSyslogPeer)
	c.IdleTimeout = cmp.Or(c.IdleTimeout, defaultIdle)
	c.QueueBytes = cmp.Or(c.QueueBytes, defaultQueue)
	return c
}

// validateSyslog reports the first setting that cannot work. It reads no file.
func validateSyslog(list []SyslogConfig) error {
	seen := map[string]bool{}
	for i, c := range list {
		c = c.withDefaults()
		if err := c.validate(); err != nil {
			return fmt.Errorf("ingest.syslog[%d]: %w", i, err)
		}
		if seen[c.Name] {
			return fmt.Errorf("ingest.syslog[%d]: the name %q is taken by another source: give it one", i, c.Name)
		}
		seen[c.Name] = true
	}
	return nil
}

func (c SyslogConfig) validate() error {
	protocol, address, _ := strings.Cut(c.Listen, "://")
	if _, _, err := net.SplitHostPort(address); err != nil || (protocol != "udp" && protocol != "tcp" && protocol != "tls") {
		return fmt.Errorf("listen is %q: want udp://, tcp:// or tls:// and host:port, such as udp://127.0.0.1:5514", c.Listen)
	}
	if _, err := NewDecoder(c.Format); err != nil {
		return fmt.Errorf("format: %w", err)
	}
	switch {
	case len(c.Name) > 64:
		return errors.New("name has more than 64 bytes")
	case len(c.Gateway) > sundew.MaxID:
		return fmt.Errorf("gateway has more than %d bytes", sundew.MaxID)
	case c.MaxMessage < minMessage || c.MaxMessage > sundew.MaxLine:
		return fmt.Errorf("max_message is %d: want %d to %d bytes", c.MaxMessage, minMessage, sundew.MaxLine)
	case c.QueueBytes < int64(2*c.MaxMessage):
		return fmt.Errorf("queue_bytes is %d: it must hold two messages of max_message", c.QueueBytes)
	case c.MaxConnections < 0 || c.IdleTimeout < 0:
		return errors.New("max_connections and idle_timeout must be above 0")
	case protocol == "tls" && (c.CertFile == "" || c.KeyFile == ""):
		return errors.New("tls:// needs cert_file and key_file")
	case protocol != "tls" && (c.CertFile != "" || c.KeyFile != "" || c.ClientCAFile != ""):
		return errors.New("certificates are set and listen is not tls://")
	}
	return nil
}

// loadTLS reads the certificates (RFC 5425).
func (c SyslogConfig) loadTLS() (*tls.Config, error) {
	pair, err := tls.LoadX509KeyPair(c.CertFile, c.KeyFile)
	if err != nil {
		return nil, fmt.Errorf("cert_file, key_file: %w", err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}, MinVersion: tls.VersionTLS12}
	if c.ClientCAFile == "" {
		return config, nil
	}
	pem, err := os.ReadFile(c.ClientCAFile)
	if err != nil {
		return nil, fmt.Errorf("client_ca_file: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("client_ca_file: %s holds no certificate in PEM", c.ClientCAFile)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	return config, nil
}

// accepts says whether a peer may send.
func (c SyslogConfig) accepts(peer netip.Addr) bool {
	if len(c.Accept) == 0 {
		return peer.IsLoopback()
	}
	for _, network := range c.Accept {
		if network.Contains(peer) {
			return true
		}
	}
	return false
}
