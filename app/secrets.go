package app

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"

	"swarm-scale/cluster"
	"swarm-scale/settings"
)

// derive derives a secret for a purpose from secrets of the settings, so that nobody has to choose one more. It has 128 bits, in
// hexadecimal, and reveals none of them. Whoever knows all of them can derive it.
func derive(purpose string, from ...settings.Secret) settings.Secret {
	return settings.Secret(hex.EncodeToString(deriveKey(purpose, from...)[:16]))
}

// deriveKey is derive with 256 bits, as they are.
func deriveKey(purpose string, from ...settings.Secret) []byte {
	key := sha256.New()
	for _, secret := range from {
		one := sha256.Sum256([]byte(secret.Reveal()))
		key.Write(one[:])
	}
	code := hmac.New(sha256.New, key.Sum(nil))
	code.Write([]byte(purpose))
	return code.Sum(nil)
}

// secret describes a file with a secret that a workload reads when it starts. The environment variable has its path.
func (a *App) secret(file, variable string, content settings.Secret) cluster.Secret {
	version := derive("version of "+file, content, a.settings.VoterKey)
	return cluster.Secret{File: file, Variable: variable, Content: content, Version: version.Reveal()}
}
