package explore_test

import (
	"context"
	"fmt"
	"maps"

	"reltio-token-rotator/tests/harness"
)

// rareActs are acts of named schedules that no random schedule has.
var rareActs = map[string]func(*fixture){
	// Two clients of one user, which the contract allows.
	"the alternate set is of the same user": func(f *fixture) {
		document := f.document()
		document["alternate"] = map[string]any{"client_id": "client-2", "client_secret": clientSecret, "username": user, "password": passwordOf(user)}
		f.changedCredentials()
		f.putDocument(document)
	},
	// An operator copies the fields of the primary set and forgets to change them.
	"the alternate set is a copy":                       func(f *fixture) { f.copyToAlternate(f.document()) },
	"the alternate set is a copy of the first document": func(f *fixture) { f.copyToAlternate(f.opened) },
	"another user of the same client": func(f *fixture) {
		f.forget()
		f.changedCredentials()
		document := f.document()
		maps.Copy(document, f.set(third, "client"))
		f.putDocument(document)
	},
	// The runbook's "Restore earlier credentials", and a seeding that is taken back.
	"roll back": func(f *fixture) {
		p := f.h.Process()
		labels, _ := p.Saver.Labels(context.Background(), connection)
		current, _ := p.Credentials.ReadVersion(context.Background(), connection, labels.Current)
		previous, err := p.Credentials.ReadVersion(context.Background(), connection, labels.Previous)
		if labels.Previous == "" || err != nil || previous.CreatedAt.After(current.CreatedAt) {
			return // it is not an earlier one
		}
		f.savedOld = true
		before := f.document()
		if err := p.Saver.RestorePrevious(context.Background(), connection, labels.Current, labels.Previous); err != nil {
			panic(err)
		}
		f.operatorWrote()
		f.notedAt = len(f.h.Output())
		_, _ = fmt.Sscanf(fmt.Sprint(f.document()["note"]), "note %d", &f.notes)
		opened := f.opened
		f.opened = f.document()
		clear(f.given)
		if f.opensAgain() || !maps.Equal(withoutTokens(before), withoutTokens(f.document())) {
			f.changedCredentials()
		}
		f.opened = opened
	},
	// Mistakes of an operator, and their correction with the document that the console
	// showed.
	"a document that is not JSON": func(f *fixture) {
		f.h.AWS.PutSecret(harness.SecretName(connection, "credentials"), "{ broken")
		f.operatorWrote()
	},
	"a document without client_id": func(f *fixture) {
		document := f.document()
		delete(document, "client_id")
		f.putDocument(document)
	},
	"a document whose refresh_token is null": func(f *fixture) {
		document := f.document()
		document["refresh_token"] = nil
		f.putDocument(document)
	},
	"correct the document": func(f *fixture) { f.putDocument(maps.Clone(f.opened)) },
	"wrong client secret": func(f *fixture) {
		d := f.document()
		d["client_secret"] = "mistyped"
		if d["refresh_token"] != nil {
			f.logIn(d)
		}
		f.changedCredentials()
		f.putDocument(d)
	},
	"mistype the password": func(f *fixture) {
		d := f.document()
		set := f.setOf(d, user)
		set["password"] = "mistyped"
		delete(set, "refresh_token")
		delete(f.arrived, user)
		f.changedCredentials()
		f.putDocument(d)
	},
	"correct the password": func(f *fixture) {
		d := f.document()
		f.setOf(d, user)["password"] = passwordOf(user)
		f.changedCredentials()
		f.putDocument(d)
	},
}

func (f *fixture) copyToAlternate(from map[string]any) {
	document, alternate := f.document(), maps.Clone(from)
	delete(alternate, "note")
	delete(alternate, "alternate")
	document["alternate"] = alternate
	f.changedCredentials()
	f.putDocument(document)
}
