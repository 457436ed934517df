package reltio

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"strings"
	"time"
)

// newValue is a token's value, for an access or a refresh token.
func (st *store) newValue(format TokenFormat) string {
	if format == Counted {
		st.values++
		return fmt.Sprintf("token-%d", st.values)
	}
	raw := make([]byte, 20)
	for {
		_, _ = rand.Read(raw) // never fails
		switch format {
		case Base64:
			// 16 bytes end in "==".
			value := base64.StdEncoding.EncodeToString(raw[:16])
			if strings.ContainsRune(value, '+') && strings.ContainsRune(value, '/') {
				return value
			}
		case Base64URL:
			value := base64.RawURLEncoding.EncodeToString(raw)
			if strings.HasPrefix(value, "-") {
				return value
			}
		default:
			return uuid(raw)
		}
	}
}

func newUUID() string {
	raw := make([]byte, 16)
	_, _ = rand.Read(raw) // never fails
	return uuid(raw)
}

func uuid(raw []byte) string {
	raw[6], raw[8] = raw[6]&0x0f|0x40, raw[8]&0x3f|0x80
	return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:16])
}

func newJWT(user string, expires time.Time) string {
	payload, _ := json.Marshal(map[string]any{
		"jti": newUUID(), "user_name": user, "exp": expires.Unix(),
	})
	signature := make([]byte, 256)
	_, _ = rand.Read(signature)
	encode := base64.RawURLEncoding.EncodeToString
	return encode([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + encode(payload) + "." + encode(signature)
}

func fingerprint(token string) string {
	if token == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(token))
	return hex.EncodeToString(sum[:8])
}
