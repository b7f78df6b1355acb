package postgres

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"github.com/jackc/pgx/v5/pgconn"
	"github.com/jackc/pgx/v5/pgxpool"
)

// silence is how long a server may leave what was sent to it unconfirmed until the connection counts as lost. Keepalives do not notice that a
// machine vanished while data is on its way; without this limit it takes a quarter of an hour.
const silence = 5 * time.Second

// dialer makes connections that notice within seconds that the other machine vanished.
func dialer() *net.Dialer {
	return &net.Dialer{
		Timeout:         connectTimeout,
		KeepAliveConfig: net.KeepAliveConfig{Enable: true, Idle: 2 * time.Second, Interval: time.Second, Count: 3},
		Control:         limitSilence,
	}
}

// setServers has the connection try each of the servers, in their order. Of several it takes the one that takes writes.
func setServers(config *pgconn.Config, address Address) error {
	if len(address.Servers) == 0 {
		return errors.New("there is no server: name one, for instance pg:5432")
	}
	authorities, err := address.authorities()
	if err != nil {
		return err
	}
	config.TLSConfig, config.Fallbacks = nil, nil
	for i, server := range address.Servers {
		host, port, err := net.SplitHostPort(server)
		if err != nil {
			return fmt.Errorf("server %q: %w: write it as host:port, for instance pg:5432", server, err)
		}
		number, err := strconv.ParseUint(port, 10, 16)
		if err != nil {
			return fmt.Errorf("server %q: write the port as a number, for instance pg:5432", server)
		}
		var encryption *tls.Config
		if address.TLS {
			// None of the tries is without it, so nobody can make the program do without.
			encryption = &tls.Config{ServerName: host, RootCAs: authorities, MinVersion: tls.VersionTLS12}
		}
		if i == 0 {
			config.Host, config.Port, config.TLSConfig = host, uint16(number), encryption
			continue
		}
		config.Fallbacks = append(config.Fallbacks, &pgconn.FallbackConfig{Host: host, Port: uint16(number), TLSConfig: encryption})
	}
	if len(address.Servers) > 1 {
		config.ValidateConnect = pgconn.ValidateConnectTargetSessionAttrsReadWrite
	}
	return nil
}

// authorities returns those that may sign the servers' certificates; nil: the system's.
func (a Address) authorities() (*x509.CertPool, error) {
	if a.Authorities == "" {
		return nil, nil
	}
	pool := x509.NewCertPool()
	if !pool.AppendCertsFromPEM([]byte(a.Authorities)) {
		return nil, errors.New("there is no certificate in the text of the authorities: give their PEM")
	}
	return pool, nil
}

// isReadOnly reports whether the server takes no writes: it has become a standby.
func isReadOnly(err error) bool {
	var answer *pgconn.PgError
	return errors.As(err, &answer) && answer.Code == "25006"
}

// leaveStandby ends the pool's connections if an error says that they lead to a server that takes no writes any more. New ones look for the
// one that does.
func leaveStandby(pool *pgxpool.Pool, err error) {
	if isReadOnly(err) {
		pool.Reset()
	}
}

// unconfirmedError is why a transaction does not count as committed although the server says so.
type unconfirmedError struct{ warning string }

func (e unconfirmedError) Error() string {
	return "the server committed with a warning, so another server may not have it: " + e.warning
}

// warningKey is where a connection keeps its latest warning.
const warningKey = "warning"

// noteWarning keeps a warning with its connection. A commit whose wait for the standby is cancelled succeeds with one (PostgreSQL's
// documentation of synchronous replication).
func noteWarning(connection *pgconn.PgConn, notice *pgconn.Notice) {
	if severity := notice.SeverityUnlocalized; severity == "WARNING" || severity == "" && notice.Severity == "WARNING" {
		connection.CustomData()[warningKey] = notice.Message
	}
}

func clearWarning(connection *pgconn.PgConn) { delete(connection.CustomData(), warningKey) }

// confirmed returns nil unless the connection has had a warning.
func confirmed(connection *pgconn.PgConn) error {
	if warning, ok := connection.CustomData()[warningKey].(string); ok {
		return unconfirmedError{warning}
	}
	return nil
}
