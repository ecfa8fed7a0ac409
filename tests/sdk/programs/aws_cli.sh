#!/usr/bin/env bash
# The AWS CLI, version 1: buckets, files, a training job from a document, its log.
set -euo pipefail
image=$1 data=$2 folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT

account=$(aws sts get-caller-identity --query Account --output text)
echo "account $account"
aws s3 mb "s3://cli-$account"
aws s3 sync "$data/xgboost" "s3://cli-$account/tables" --exclude 'test/*' --no-progress
aws s3 ls --recursive "s3://cli-$account/" | awk '{ print "object", $4 }'

cat >"$folder/job.json" <<JSON
{
  "TrainingJobName": "cli-training",
  "AlgorithmSpecification": {"TrainingImage": "$image", "TrainingInputMode": "File"},
  "HyperParameters": {"num_round": "20", "objective": "binary:logistic"},
  "InputDataConfig": [
    {"ChannelName": "train", "ContentType": "text/csv", "DataSource": {"S3DataSource":
      {"S3DataType": "S3Prefix", "S3Uri": "s3://cli-$account/tables/train/"}}},
    {"ChannelName": "validation", "ContentType": "text/csv", "DataSource": {"S3DataSource":
      {"S3DataType": "S3Prefix", "S3Uri": "s3://cli-$account/tables/validation/"}}}
  ],
  "OutputDataConfig": {"S3OutputPath": "s3://cli-$account/models"},
  "ResourceConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 1, "VolumeSizeInGB": 10},
  "StoppingCondition": {"MaxRuntimeInSeconds": 600},
  "RoleArn": "arn:aws:iam::$account:role/SageMakerRole"
}
JSON
aws sagemaker create-training-job --cli-input-json "file://$folder/job.json" --output text
aws sagemaker wait training-job-completed-or-stopped --training-job-name cli-training
aws sagemaker list-training-jobs --status-equals Completed --name-contains cli \
  --query 'TrainingJobSummaries[].TrainingJobName' --output text
aws logs filter-log-events --log-group-name /aws/sagemaker/TrainingJobs \
  --log-stream-name-prefix cli-training/ --filter-pattern validation-error \
  --query 'events[-1].message' --output text
model=$(aws sagemaker describe-training-job --training-job-name cli-training \
  --query ModelArtifacts.S3ModelArtifacts --output text)
aws s3 cp "$model" "$folder/model.tar.gz" --no-progress >/dev/null
tar -tzf "$folder/model.tar.gz"
if aws sagemaker describe-training-job --training-job-name nobody 2>"$folder/error"; then exit 1; fi
grep -o 'ResourceNotFound' "$folder/error"
