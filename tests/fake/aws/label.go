package aws

type updateSecretVersionStageInput struct {
	secretID
	VersionStage        string
	MoveToVersionId     string
	RemoveFromVersionId string
}

// updateSecretVersionStage is a compare-and-set: where the label is attached to
// another version than the one to move to, RemoveFromVersionId must name that
// version. The page gives InvalidParameterException and no more precise reason.
// https://docs.aws.amazon.com/secretsmanager/latest/apireference/API_UpdateSecretVersionStage.html
func (s *Server) updateSecretVersionStage(in updateSecretVersionStageInput) (secretRef, error) {
	found, err := s.findLive(in.SecretId)
	if err != nil {
		return secretRef{}, err
	}
	holder := found.byStage(in.VersionStage)
	from, to := found.byID(in.RemoveFromVersionId), found.byID(in.MoveToVersionId)
	switch {
	case in.MoveToVersionId != "" && to == nil, in.RemoveFromVersionId != "" && from == nil:
		return secretRef{}, refuse("ResourceNotFoundException", "Secrets Manager can't find the specified secret version.")
	case to == nil && from == nil:
		return secretRef{}, refuse("InvalidParameterException", "Name a version to move the label to or to remove it from.")
	case from != nil && from != holder:
		return secretRef{}, refuse("InvalidParameterException",
			"RemoveFromVersionId must be the version that has the staging label "+in.VersionStage+".")
	case from == nil && holder != nil && holder != to:
		return secretRef{}, refuse("InvalidParameterException",
			"The staging label "+in.VersionStage+" is attached to another version, which RemoveFromVersionId must name.")
	case to == nil && in.VersionStage == current:
		return secretRef{}, refuse("InvalidParameterException",
			"You can only move staging label AWSCURRENT to a different secret version. It can't be completely removed.")
	case to == nil:
		delete(from.stages, in.VersionStage)
	default:
		found.move(in.VersionStage, to)
	}
	return found.ref(), nil
}
