package infra

import (
	"encoding/json"
	"strings"

	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/cloudwatch"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/ec2"
	"github.com/pulumi/pulumi-aws/sdk/v6/go/aws/iam"
	"github.com/pulumi/pulumi/sdk/v3/go/pulumi"

	"swarm-scale/settings"
)

// flowLogDays is how long flow logs are kept.
const flowLogDays = 30

// statement is one of an IAM policy.
type statement struct {
	Effect    string
	Principal map[string]string            `json:",omitempty"`
	Action    []string                     `json:",omitempty"`
	Resource  string                       `json:",omitempty"`
	Condition map[string]map[string]string `json:",omitempty"`
}

// policy returns an IAM policy of one statement.
func policy(one statement) (string, error) {
	text, err := json.Marshal(map[string]any{"Version": "2012-10-17", "Statement": []statement{one}})
	return string(text), err
}

// newFlowLogs has the VPC write its flow logs to a log group. The role may write to that group and do nothing else, and only this
// account's flow logs may assume it (VPC user guide, "IAM role for publishing flow logs to CloudWatch Logs").
func (c *cloud) newFlowLogs(ctx *pulumi.Context, network *network) error {
	if c.settings.AWS.FlowLogs == settings.NoFlowLogs {
		return nil
	}
	const name = "flow-logs"
	group, err := cloudwatch.NewLogGroup(ctx, name+"-group", &cloudwatch.LogGroupArgs{RetentionInDays: pulumi.Int(flowLogDays), Tags: c.tags(name)}, c.own()...)
	if err != nil {
		return err
	}
	role, err := iam.NewRole(ctx, name+"-role", &iam.RoleArgs{
		Description: pulumi.String("Writes the flow logs of the VPC " + vpcName),
		AssumeRolePolicy: network.vpc.OwnerId.ApplyT(func(account string) (string, error) {
			return policy(statement{
				Effect: "Allow", Principal: map[string]string{"Service": "vpc-flow-logs.amazonaws.com"}, Action: []string{"sts:AssumeRole"},
				Condition: map[string]map[string]string{"StringEquals": {"aws:SourceAccount": account}},
			})
		}).(pulumi.StringOutput),
		Tags: c.tags(name),
	}, c.own()...)
	if err != nil {
		return err
	}
	rights, err := iam.NewRolePolicy(ctx, name+"-rights", &iam.RolePolicyArgs{
		Role: role.ID(),
		Policy: group.Arn.ApplyT(func(arn string) (string, error) {
			return policy(statement{
				Effect:   "Allow",
				Action:   []string{"logs:CreateLogStream", "logs:PutLogEvents", "logs:DescribeLogGroups", "logs:DescribeLogStreams"},
				Resource: arn + ":*",
			})
		}).(pulumi.StringOutput),
	}, c.own()...)
	if err != nil {
		return err
	}
	_, err = ec2.NewFlowLog(ctx, name, &ec2.FlowLogArgs{
		VpcId:          network.vpc.ID(),
		TrafficType:    pulumi.String(strings.ToUpper(string(c.settings.AWS.FlowLogs))),
		LogDestination: group.Arn,
		IamRoleArn:     role.Arn,
		Tags:           c.tags(name),
	}, c.own(pulumi.DependsOn([]pulumi.Resource{rights}))...)
	return err
}
