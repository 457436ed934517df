"""Prints the output of the SAM transform for a template. Runs with the SAM CLI's Python."""

import json
import sys

import boto3
from samtranslator.parser.parser import Parser
from samtranslator.translator.translator import Translator
from samtranslator.yaml_helper import yaml_parse

with open(sys.argv[1], encoding="utf-8") as file:
    template = yaml_parse(file.read())
for resource in template["Resources"].values():
    if resource["Type"] == "AWS::Serverless::Function" and isinstance(resource["Properties"]["CodeUri"], str):
        resource["Properties"]["CodeUri"] = "s3://bucket/key"  # as after sam package
session = boto3.Session(region_name="eu-west-1")
json.dump(Translator({}, Parser(), boto_session=session).translate(template, {}), sys.stdout)
