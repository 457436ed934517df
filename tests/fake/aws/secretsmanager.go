package aws

import (
	"fmt"
	"slices"
	"strconv"
	"time"
)

// epoch is how the JSON protocol writes an instant.
type epoch float64

func epochOf(t time.Time) epoch { return epoch(t.UnixMilli()) / 1000 }

type secretID struct{ SecretId string }

func (i secretID) subject() string { return i.SecretId }

// secretRef is the beginning of every answer about a secret.
type secretRef struct {
	ARN  string
	Name string
}

func (s *secret) ref() secretRef { return secretRef{s.arn(), s.name} }

type createSecretInput struct {
	Name               string
	ClientRequestToken string
	SecretString       *string
	SecretBinary       []byte
	// Taken and not kept: nothing here depends on them.
	Description string
	KmsKeyId    string
	Tags        []struct{ Key, Value string }
}

func (i createSecretInput) subject() string { return i.Name }

type versionOutput struct {
	secretRef
	VersionId     string   `json:",omitempty"`
	VersionStages []string `json:",omitempty"`
}

func (s *Server) createSecret(in createSecretInput) (versionOutput, error) {
	val := value{in.SecretString, in.SecretBinary}
	if in.Name == "" {
		return versionOutput{}, refuse("ValidationException", "Name must have a length greater than or equal to 1.")
	}
	if !val.absent() {
		if err := checkWrite(in.ClientRequestToken, val); err != nil {
			return versionOutput{}, err
		}
	}
	found, err := s.find(in.Name)
	switch {
	case err != nil:
		found = &secret{name: in.Name, createdAt: time.Now()}
		s.secrets[in.Name] = found
	case !found.deleteAt.IsZero():
		return versionOutput{}, refuse("InvalidRequestException",
			"You can't create this secret because a secret with this name is already scheduled for deletion.")
	case val.absent() || found.byID(in.ClientRequestToken) == nil:
		return versionOutput{}, refuse("ResourceExistsException",
			"The operation failed because the secret "+in.Name+" already exists.")
	}
	out := versionOutput{secretRef: found.ref()}
	if !val.absent() {
		added, err := found.add(in.ClientRequestToken, val, nil)
		if err != nil {
			return versionOutput{}, err
		}
		out.VersionId = added.id
	}
	return out, nil
}

type putSecretValueInput struct {
	secretID
	ClientRequestToken string
	SecretString       *string
	SecretBinary       []byte
	VersionStages      []string
}

func (s *Server) putSecretValue(in putSecretValueInput) (versionOutput, error) {
	val := value{in.SecretString, in.SecretBinary}
	if val.absent() {
		return versionOutput{}, refuse("InvalidRequestException", "You must provide either SecretString or SecretBinary.")
	}
	if err := checkWrite(in.ClientRequestToken, val); err != nil {
		return versionOutput{}, err
	}
	found, err := s.findLive(in.SecretId)
	if err != nil {
		return versionOutput{}, err
	}
	added, err := found.add(in.ClientRequestToken, val, in.VersionStages)
	if err != nil {
		return versionOutput{}, err
	}
	return versionOutput{found.ref(), added.id, added.labels()}, nil
}

// checkWrite checks a value and the id that its version is to have: 32 to 64
// characters, required of clients that do not use an SDK.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_PutSecretValue.html
func checkWrite(token string, val value) error {
	if len(token) < 32 || len(token) > 64 {
		return refuse("InvalidParameterException", "ClientRequestToken must be 32-64 characters long.")
	}
	return val.check()
}

type getSecretValueInput struct {
	secretID
	VersionId    string
	VersionStage string
}

type getSecretValueOutput struct {
	secretRef
	VersionId     string
	SecretString  *string `json:",omitempty"`
	SecretBinary  []byte  `json:",omitempty"`
	VersionStages []string
	CreatedDate   epoch
}

func (s *Server) getSecretValue(in getSecretValueInput) (getSecretValueOutput, error) {
	found, err := s.findLive(in.SecretId)
	if err != nil {
		return getSecretValueOutput{}, err
	}
	v, label := (*version)(nil), ""
	switch {
	case in.VersionId != "":
		v, label = found.byID(in.VersionId), "VersionId: "+in.VersionId
	case in.VersionStage != "":
		v, label = found.byStage(in.VersionStage), "staging label: "+in.VersionStage
	default:
		v, label = found.byStage(current), "staging label: "+current
	}
	if v == nil {
		return getSecretValueOutput{}, refuse("ResourceNotFoundException",
			"Secrets Manager can't find the specified secret value for "+label)
	}
	if in.VersionStage != "" && !v.stages[in.VersionStage] {
		return getSecretValueOutput{}, refuse("InvalidRequestException",
			"You provided a VersionStage that is not associated to the provided VersionId.")
	}
	return getSecretValueOutput{
		found.ref(), v.id, v.value.text, v.value.binary, v.labels(), epochOf(v.createdAt),
	}, nil
}

type describeSecretOutput struct {
	secretRef
	CreatedDate epoch
	DeletedDate epoch `json:",omitzero"`
	// VersionIdsToStages shows versions that have labels, and is not there
	// without any.
	// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DescribeSecret.html
	VersionIdsToStages map[string][]string `json:",omitempty"`
	ReplicationStatus  []replica           `json:",omitempty"`
}

func (s *Server) describeSecret(in secretID) (describeSecretOutput, error) {
	found, err := s.find(in.SecretId)
	if err != nil {
		return describeSecretOutput{}, err
	}
	out := describeSecretOutput{
		secretRef: found.ref(), CreatedDate: epochOf(found.createdAt), VersionIdsToStages: map[string][]string{},
	}
	if !found.deleteAt.IsZero() {
		out.DeletedDate = epochOf(found.deleteAt)
	}
	for _, v := range found.versions {
		if len(v.stages) > 0 {
			out.VersionIdsToStages[v.id] = v.labels()
		}
	}
	for _, region := range found.replicas {
		out.ReplicationStatus = append(out.ReplicationStatus, replica{region, "InSync"})
	}
	return out, nil
}

type listSecretVersionIDsInput struct {
	secretID
	IncludeDeprecated bool
	MaxResults        *int
	NextToken         string
}

type listSecretVersionIDsOutput struct {
	secretRef
	Versions  []versionEntry
	NextToken string `json:",omitempty"`
}

type versionEntry struct {
	VersionId     string
	VersionStages []string `json:",omitempty"`
	CreatedDate   epoch
}

// listSecretVersionIDs shows versions without a label only when asked to.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_ListSecretVersionIds.html
func (s *Server) listSecretVersionIDs(in listSecretVersionIDsInput) (listSecretVersionIDsOutput, error) {
	found, err := s.find(in.SecretId)
	if err != nil {
		return listSecretVersionIDsOutput{}, err
	}
	from, size := 0, 100
	if in.MaxResults != nil {
		size = *in.MaxResults
	}
	if in.NextToken != "" {
		if from, err = strconv.Atoi(in.NextToken); err != nil || from < 0 {
			return listSecretVersionIDsOutput{}, refuse("InvalidNextTokenException", "The NextToken value is invalid.")
		}
	}
	if size < 1 || size > 100 {
		return listSecretVersionIDsOutput{}, refuse("ValidationException", "MaxResults must be from 1 to 100.")
	}
	shown := slices.Clone(found.versions)
	if !in.IncludeDeprecated {
		shown = slices.DeleteFunc(shown, func(v *version) bool { return len(v.stages) == 0 })
	}
	shown = shown[min(from, len(shown)):]
	out := listSecretVersionIDsOutput{secretRef: found.ref(), Versions: []versionEntry{}}
	if len(shown) > size {
		shown, out.NextToken = shown[:size], fmt.Sprint(from+size)
	}
	for _, v := range shown {
		out.Versions = append(out.Versions, versionEntry{v.id, v.labels(), epochOf(v.createdAt)})
	}
	return out, nil
}

type deleteSecretInput struct {
	secretID
	RecoveryWindowInDays       *int
	ForceDeleteWithoutRecovery bool
}

type deleteSecretOutput struct {
	secretRef
	DeletionDate epoch
}

// deleteSecret schedules the deletion in 7 to 30 days, 30 by default, or
// deletes at once.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_DeleteSecret.html
func (s *Server) deleteSecret(in deleteSecretInput) (deleteSecretOutput, error) {
	days := 30
	if in.RecoveryWindowInDays != nil {
		days = *in.RecoveryWindowInDays
	}
	if days < 7 || days > 30 || in.RecoveryWindowInDays != nil && in.ForceDeleteWithoutRecovery {
		return deleteSecretOutput{}, refuse("InvalidParameterException",
			"RecoveryWindowInDays must be from 7 to 30 and cannot be combined with ForceDeleteWithoutRecovery.")
	}
	if in.ForceDeleteWithoutRecovery {
		found, err := s.find(in.SecretId)
		if err != nil {
			return deleteSecretOutput{}, err
		}
		if len(found.replicas) > 0 {
			return deleteSecretOutput{}, refuseReplicated()
		}
		delete(s.secrets, found.name)
		return deleteSecretOutput{found.ref(), epochOf(time.Now())}, nil
	}
	found, err := s.findLive(in.SecretId)
	if err != nil {
		return deleteSecretOutput{}, err
	}
	found.deleteAt = time.Now().AddDate(0, 0, days)
	return deleteSecretOutput{found.ref(), epochOf(found.deleteAt)}, nil
}
