"""Policies in the forms that people keep them in: CloudFormation and Terraform. Pure."""

from __future__ import annotations

import json
from typing import Any

from sagedock.project.iam import Document, Needs, caller, role, trust

ROLE_NAME = "SageMakerJobRole"


def documents(needs: Needs, role_name: str = ROLE_NAME) -> dict[str, Document]:
    """The three policies by what they are for."""
    return {
        "trust": trust(needs),
        "role": role(needs),
        "caller": caller(needs, role_name),
    }


def cloudformation(needs: Needs, role_name: str = ROLE_NAME) -> dict[str, Any]:
    """A template of the role and of a managed policy for whoever launches jobs."""
    found = documents(needs, role_name)
    return {
        "AWSTemplateFormatVersion": "2010-09-09",
        "Description": "The role of SageMaker jobs, and what whoever launches them may do",
        "Resources": {
            "JobRole": {
                "Type": "AWS::IAM::Role",
                "Properties": {
                    "RoleName": role_name,
                    "AssumeRolePolicyDocument": found["trust"],
                    "Policies": [{"PolicyName": "jobs", "PolicyDocument": found["role"]}],
                },
            },
            "LauncherPolicy": {
                "Type": "AWS::IAM::ManagedPolicy",
                "Properties": {
                    "Description": f"Launches SageMaker jobs with the role {role_name}",
                    "PolicyDocument": found["caller"],
                },
            },
        },
        "Outputs": {
            "JobRoleArn": {"Value": {"Fn::GetAtt": ["JobRole", "Arn"]}},
            "LauncherPolicyArn": {"Value": {"Ref": "LauncherPolicy"}},
        },
    }


def terraform(needs: Needs, role_name: str = ROLE_NAME) -> dict[str, Any]:
    """The same in Terraform's JSON syntax: a file whose name ends in .tf.json."""
    found = {name: json.dumps(item) for name, item in documents(needs, role_name).items()}
    return {
        "resource": {
            "aws_iam_role": {
                "job": {"name": role_name, "assume_role_policy": found["trust"]},
            },
            "aws_iam_role_policy": {
                "job": {
                    "name": "jobs",
                    "role": "${aws_iam_role.job.id}",
                    "policy": found["role"],
                },
            },
            "aws_iam_policy": {
                "launcher": {
                    "name": f"{role_name}Launcher",
                    "description": f"Launches SageMaker jobs with the role {role_name}",
                    "policy": found["caller"],
                },
            },
        },
        "output": {
            "job_role_arn": {"value": "${aws_iam_role.job.arn}"},
            "launcher_policy_arn": {"value": "${aws_iam_policy.launcher.arn}"},
        },
    }
