package ingest

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"time"

	"github.com/segmentio/kafka-go"
	"github.com/segmentio/kafka-go/sasl"
	"github.com/segmentio/kafka-go/sasl/plain"
	"github.com/segmentio/kafka-go/sasl/scram"
)

// KafkaConfig says where the log is and how to reach it.
type KafkaConfig struct {
	Brokers        []string      `yaml:"brokers"`   // host:port of some of the cluster's brokers
	ClientID       string        `yaml:"client_id"` // shown in the brokers' logs and quotas
	TLS            KafkaTLS      `yaml:"tls"`
	SASL           KafkaSASL     `yaml:"sasl"`
	DialTimeout    time.Duration `yaml:"dial_timeout"`    // for a connection with its handshakes
	RequestTimeout time.Duration `yaml:"request_timeout"` // for one answer; twice what a broker gets to gather acknowledgements
	Compression    string        `yaml:"compression"`     // of what is produced: lz4, zstd or none
	// Replication is the number of brokers that hold each partition of topics that EnsureTopics creates; -1 leaves it to
	// the brokers.
	Replication int `yaml:"replication"`
	// Retention is how long EnsureTopics lets the topics of requests and partials hold records. It bounds how far back a
	// snapshot may lie.
	Retention time.Duration `yaml:"retention"`
}

// KafkaTLS is about connections with TLS.
type KafkaTLS struct {
	Enabled    bool   `yaml:"enabled"`
	CAFile     string `yaml:"ca_file"`     // PEM; empty: the system's
	CertFile   string `yaml:"cert_file"`   // PEM, for mutual TLS, with KeyFile
	KeyFile    string `yaml:"key_file"`    // PEM
	ServerName string `yaml:"server_name"` // empty: the host of the broker
}

// KafkaSASL is about who we are to the brokers.
type KafkaSASL struct {
	Mechanism    string `yaml:"mechanism"` // empty: none; plain, scram-sha-256 or scram-sha-512
	Username     string `yaml:"username"`
	PasswordFile string `yaml:"password_file"` // a line break at its end is not part of the password
}

// DefaultKafkaConfig is one broker on this machine, without TLS.
func DefaultKafkaConfig() KafkaConfig {
	return KafkaConfig{
		Brokers:        []string{"127.0.0.1:9092"},
		ClientID:       "sundew",
		DialTimeout:    5 * time.Second,
		RequestTimeout: 10 * time.Second,
		Compression:    "lz4",
		Replication:    -1,
		Retention:      48 * time.Hour,
	}
}

// Validate reports the first setting that cannot work. It reads no file.
func (c KafkaConfig) Validate() error {
	if len(c.Brokers) == 0 {
		return errors.New("kafka.brokers is empty: name at least one broker as host:port")
	}
	for _, broker := range c.Brokers {
		if _, port, err := net.SplitHostPort(broker); err != nil || port == "" || strings.Contains(broker, ",") {
			return fmt.Errorf("kafka.brokers: %q is not host:port", broker)
		}
	}
	if c.DialTimeout <= 0 || c.RequestTimeout <= 0 {
		return errors.New("kafka.dial_timeout and kafka.request_timeout must be above 0")
	}
	if _, err := compressionOf(c.Compression); err != nil {
		return err
	}
	if c.Replication == 0 || c.Replication < -1 {
		return fmt.Errorf("kafka.replication: %d brokers cannot hold a partition: want 1 or more, or -1 for the brokers' default", c.Replication)
	}
	if c.Retention <= 0 {
		return errors.New("kafka.retention must be above 0")
	}
	if (c.TLS.CertFile == "") != (c.TLS.KeyFile == "") {
		return errors.New("kafka.tls: cert_file and key_file need each other")
	}
	if !c.TLS.Enabled && c.TLS != (KafkaTLS{}) {
		return errors.New("kafka.tls has settings and is not enabled: set kafka.tls.enabled")
	}
	return c.SASL.validate(c.TLS.Enabled)
}

func (s KafkaSASL) validate(encrypted bool) error {
	switch s.Mechanism {
	case "":
		if s != (KafkaSASL{}) {
			return errors.New("kafka.sasl has settings and no mechanism: want plain, scram-sha-256 or scram-sha-512")
		}
		return nil
	case "plain":
		if !encrypted {
			return errors.New("kafka.sasl.mechanism plain sends the password as it is: set kafka.tls.enabled, or use scram-sha-512")
		}
	case "scram-sha-256", "scram-sha-512":
	default:
		return fmt.Errorf("kafka.sasl.mechanism: %q is not known: want plain, scram-sha-256 or scram-sha-512", s.Mechanism)
	}
	if s.Username == "" || s.PasswordFile == "" {
		return errors.New("kafka.sasl needs username and password_file")
	}
	return nil
}

func compressionOf(name string) (kafka.Compression, error) {
	switch name {
	case "", "lz4":
		return kafka.Lz4, nil
	case "zstd":
		return kafka.Zstd, nil
	case "none":
		return 0, nil
	}
	return 0, fmt.Errorf("kafka.compression: %q is not known: want lz4, zstd or none", name)
}

// metadataTTL bounds how long a client asks a broker that has stopped leading a partition.
const metadataTTL = 3 * time.Second

// broker is a client with the connections it owns.
type broker struct {
	*kafka.Client
	transport *kafka.Transport
	addresses string // for errors
}

// newBroker opens no connection; that happens at the first request.
func newBroker(c KafkaConfig) (*broker, error) {
	if err := c.Validate(); err != nil {
		return nil, err
	}
	tlsConfig, err := c.TLS.load()
	if err != nil {
		return nil, err
	}
	mechanism, err := c.SASL.load()
	if err != nil {
		return nil, err
	}
	transport := &kafka.Transport{
		ClientID:    c.ClientID,
		DialTimeout: c.DialTimeout,
		MetadataTTL: metadataTTL,
		TLS:         tlsConfig,
		SASL:        mechanism,
	}
	return &broker{
		Client:    &kafka.Client{Addr: kafka.TCP(c.Brokers...), Timeout: c.RequestTimeout, Transport: transport},
		transport: transport,
		addresses: strings.Join(c.Brokers, ", "),
	}, nil
}

// close ends the client's connections, and the goroutines of the library with them.
func (b *broker) close() { b.transport.CloseIdleConnections() }

// unreachable explains an error of the first request to a cluster.
func (b *broker) unreachable(err error) error {
	return fmt.Errorf("broker %s is not reachable: %w: start it, or correct kafka.brokers", b.addresses, err)
}

func (t KafkaTLS) load() (*tls.Config, error) {
	if !t.Enabled {
		return nil, nil
	}
	config := &tls.Config{ServerName: t.ServerName, MinVersion: tls.VersionTLS12}
	if t.CAFile != "" {
		pem, err := os.ReadFile(t.CAFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.ca_file: %w", err)
		}
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM(pem) {
			return nil, fmt.Errorf("kafka.tls.ca_file: %s holds no certificate in PEM", t.CAFile)
		}
	}
	if t.CertFile != "" {
		pair, err := tls.LoadX509KeyPair(t.CertFile, t.KeyFile)
		if err != nil {
			return nil, fmt.Errorf("kafka.tls.cert_file: %w", err)
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, nil
}

func (s KafkaSASL) load() (sasl.Mechanism, error) {
	if s.Mechanism == "" {
		return nil, nil
	}
	secret, err := os.ReadFile(s.PasswordFile)
	if err != nil {
		return nil, fmt.Errorf("kafka.sasl.password_file: %w", err)
	}
	password := strings.TrimRight(string(secret), "\r\n")
	switch s.Mechanism {
	case "plain":
		return plain.Mechanism{Username: s.Username, Password: password}, nil
	case "scram-sha-256":
		return scram.Mechanism(scram.SHA256, s.Username, password)
	}
	return scram.Mechanism(scram.SHA512, s.Username, password)
}
