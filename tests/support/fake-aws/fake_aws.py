"""moto_server with the operations that the stacks need and moto lacks, as far as the AWS provider reads their results.

Usage: python3 fake_aws.py -H 127.0.0.1 -p 5000 (moto_server's own arguments)

Added: ElastiCache parameter groups, user groups, member clusters of replication groups, deletion of subnet groups;
tags of scalable targets; alert manager definitions of managed Prometheus. Nothing here is specific to Holdfast.
"""

import base64
import json
import threading
import time
import uuid
from collections import OrderedDict, defaultdict
from urllib.parse import unquote

from moto import server
from moto.amp import models as amp_models
from moto.amp import responses as amp
from moto.amp import urls as amp_urls
from moto.applicationautoscaling import responses as scaling
from moto.core.responses import ActionResult, EmptyResult
from moto.ec2.models import security_groups
from moto.ecs import responses as ecs
from moto.elasticache import models as cache_models
from moto.elasticache import responses as cache
from moto.elasticache.exceptions import CacheClusterNotFound, ElastiCacheException
from moto.rds import models as rds
from moto.s3 import models as s3


class Missing(ElastiCacheException):
    """The error of AWS for a resource that does not exist. The provider reads the code as "deleted"."""

    def __init__(self, code, name):
        self.code = code
        super().__init__(f"{name} was not found.")


class Kept:
    """What the added operations keep, per account and region."""

    def __init__(self):
        self.parameter_groups = {}
        self.user_groups = {}
        self.scaling_tags = {}
        self.alert_managers = {}


KEPT = defaultdict(Kept)


def kept(response):
    return KEPT[(response.current_account, response.region)]


def operation(responses_class):
    """Makes a function an operation of a moto service."""

    def add(function):
        setattr(responses_class, function.__name__, function)
        return function

    return add


# ElastiCache: parameter groups


def parameter_group(self, name):
    groups = kept(self).parameter_groups
    if name not in groups:
        raise Missing("CacheParameterGroupNotFound", name)
    return groups[name]


def parameter_group_facts(group):
    return {key: group[key] for key in ("CacheParameterGroupName", "CacheParameterGroupFamily", "Description", "ARN")}


@operation(cache.ElastiCacheResponse)
def create_cache_parameter_group(self):
    params = self._get_params()
    name = params["CacheParameterGroupName"]
    arn = f"arn:aws:elasticache:{self.region}:{self.current_account}:parametergroup:{name}"
    group = {
        "CacheParameterGroupName": name,
        "CacheParameterGroupFamily": params["CacheParameterGroupFamily"],
        "Description": params.get("Description"),
        "ARN": arn,
        "values": {},
    }
    kept(self).parameter_groups[name] = group
    self.elasticache_backend.tagging_service.tag_resource(arn, params.get("Tags") or [])
    return ActionResult({"CacheParameterGroup": parameter_group_facts(group)})


@operation(cache.ElastiCacheResponse)
def describe_cache_parameter_groups(self):
    name = self._get_params().get("CacheParameterGroupName")
    groups = [parameter_group(self, name)] if name else kept(self).parameter_groups.values()
    return ActionResult({"CacheParameterGroups": [parameter_group_facts(group) for group in groups]})


@operation(cache.ElastiCacheResponse)
def describe_cache_parameters(self):
    values = parameter_group(self, self._get_params()["CacheParameterGroupName"])["values"]
    return ActionResult(
        {
            "Parameters": [
                {"ParameterName": name, "ParameterValue": value, "Source": "user"} for name, value in values.items()
            ]
        }
    )


@operation(cache.ElastiCacheResponse)
def modify_cache_parameter_group(self):
    params = self._get_params()
    name = params["CacheParameterGroupName"]
    values = parameter_group(self, name)["values"]
    for parameter in params["ParameterNameValues"]:
        values[parameter["ParameterName"]] = parameter["ParameterValue"]
    return ActionResult({"CacheParameterGroupName": name})


@operation(cache.ElastiCacheResponse)
def reset_cache_parameter_group(self):
    params = self._get_params()
    name = params["CacheParameterGroupName"]
    values = parameter_group(self, name)["values"]
    for parameter in params.get("ParameterNameValues") or []:
        values.pop(parameter["ParameterName"], None)
    return ActionResult({"CacheParameterGroupName": name})


@operation(cache.ElastiCacheResponse)
def delete_cache_parameter_group(self):
    name = self._get_params()["CacheParameterGroupName"]
    parameter_group(self, name)
    del kept(self).parameter_groups[name]
    return EmptyResult()


# ElastiCache: tags of any of its resources; moto refuses the ARNs of those that it does not know

cache_models.ElastiCacheBackend.list_tags_for_resource = lambda self, arn: (
    self.tagging_service.list_tags_for_resource(arn)
)

# ElastiCache: user groups


def user_group(self, group_id):
    groups = kept(self).user_groups
    if group_id not in groups:
        raise Missing("UserGroupNotFound", group_id)
    return groups[group_id]


@operation(cache.ElastiCacheResponse)
def create_user_group(self):
    params = self._get_params()
    group_id = params["UserGroupId"]
    arn = f"arn:aws:elasticache:{self.region}:{self.current_account}:usergroup:{group_id}"
    group = {
        "UserGroupId": group_id,
        "Status": "active",
        "Engine": params["Engine"],
        "UserIds": params.get("UserIds") or [],
        "ARN": arn,
    }
    kept(self).user_groups[group_id] = group
    self.elasticache_backend.tagging_service.tag_resource(arn, params.get("Tags") or [])
    return ActionResult(group)


@operation(cache.ElastiCacheResponse)
def describe_user_groups(self):
    group_id = self._get_params().get("UserGroupId")
    groups = [user_group(self, group_id)] if group_id else list(kept(self).user_groups.values())
    return ActionResult({"UserGroups": groups})


@operation(cache.ElastiCacheResponse)
def modify_user_group(self):
    params = self._get_params()
    group = user_group(self, params["UserGroupId"])
    added, removed = params.get("UserIdsToAdd") or [], params.get("UserIdsToRemove") or []
    group["UserIds"] = [user for user in group["UserIds"] if user not in removed] + added
    return ActionResult(group)


@operation(cache.ElastiCacheResponse)
def delete_user_group(self):
    group = user_group(self, self._get_params()["UserGroupId"])
    del kept(self).user_groups[group["UserGroupId"]]
    return ActionResult({**group, "Status": "deleting"})


# ElastiCache: member clusters, subnet groups


@operation(cache.ElastiCacheResponse)
def delete_cache_subnet_group(self):
    name = self._get_params()["CacheSubnetGroupName"]
    if self.elasticache_backend.cache_subnet_groups.pop(name, None) is None:
        raise Missing("CacheSubnetGroupNotFoundFault", name)
    return EmptyResult()


describe_own_clusters = cache_models.ElastiCacheBackend.describe_cache_clusters


class MemberCluster:
    """A node of a replication group, as DescribeCacheClusters shows it."""

    def __init__(self, name, group, parameters):
        self.cache_cluster_id = name
        self.replication_group_id = group.replication_group_id
        self.cache_cluster_status = "available"
        self.arn = group.arn.replace("replicationgroup", "cluster").rsplit(":", 1)[0] + f":{name}"
        self.engine = group.engine
        self.engine_version = parameters.get("EngineVersion")
        self.cache_node_type = parameters.get("CacheNodeType")
        self.num_cache_nodes = 1
        self.auto_minor_version_upgrade = parameters.get("AutoMinorVersionUpgrade", True)
        self.preferred_maintenance_window = parameters.get("PreferredMaintenanceWindow")
        self.cache_subnet_group_name = parameters.get("CacheSubnetGroupName")
        self.at_rest_encryption_enabled = True
        self.transit_encryption_enabled = True
        self.transit_encryption_mode = "required"
        self.cache_parameter_group = {
            "CacheParameterGroupName": parameters.get("CacheParameterGroupName"),
            "ParameterApplyStatus": "in-sync",
        }
        self.security_groups = [
            {"SecurityGroupId": group_id, "Status": "active"} for group_id in parameters.get("SecurityGroupIds") or []
        ]


set_plain_members = cache_models.ReplicationGroup._set_node_members_clusters_disabled


def set_members(self, **parameters):
    """moto forgets how many nodes were asked for where they are counted together."""
    replicas = parameters["replicas_per_node_group"] or parameters["num_cache_clusters"] - 1
    set_plain_members(self, **{**parameters, "replicas_per_node_group": replicas})


cache_models.ReplicationGroup._set_node_members_clusters_disabled = set_members

REPLICATION_PARAMETERS = {}
create_plain_replication_group = cache.ElastiCacheResponse.create_replication_group


@operation(cache.ElastiCacheResponse)
def create_replication_group(self):
    params = self._get_params()
    REPLICATION_PARAMETERS[params["ReplicationGroupId"]] = params
    return create_plain_replication_group(self)


@operation(cache.ElastiCacheResponse)
def modify_replication_group(self):
    params = self._get_params()
    group = self.elasticache_backend.replication_groups[params["ReplicationGroupId"]]
    REPLICATION_PARAMETERS[group.replication_group_id].update(params)
    return ActionResult({"ReplicationGroup": group})


delete_plain_replication_group = cache.ElastiCacheResponse.delete_replication_group


@operation(cache.ElastiCacheResponse)
def delete_replication_group(self):
    """In moto the group stays in the state "deleting"."""
    answer = delete_plain_replication_group(self)
    del self.elasticache_backend.replication_groups[self._get_params()["ReplicationGroupId"]]
    return answer


def describe_cache_clusters(self, cache_cluster_id=None):
    members = {
        name: MemberCluster(name, group, REPLICATION_PARAMETERS[group.replication_group_id])
        for group in self.replication_groups.values()
        for name in group.member_clusters
    }
    if cache_cluster_id is None:
        return describe_own_clusters(self) + list(members.values())
    if cache_cluster_id in self.cache_clusters:
        return describe_own_clusters(self, cache_cluster_id)
    if cache_cluster_id not in members:
        raise CacheClusterNotFound(cache_cluster_id)
    return [members[cache_cluster_id]]


cache_models.ElastiCacheBackend.describe_cache_clusters = describe_cache_clusters


# What moto takes and forgets, so that a second plan would see a change


create_plain_database = rds.RDSBackend.create_db_instance


def create_db_instance(self, db_kwargs):
    database = create_plain_database(self, db_kwargs)
    # The provider looks for instances by this; moto gives them all the same.
    database.dbi_resource_id = f"db-{uuid.uuid4().hex[:26].upper()}"
    database.engine_lifecycle_support = db_kwargs.get("engine_lifecycle_support")
    database.monitoring_interval = db_kwargs.get("monitoring_interval", 0)
    database.monitoring_role_arn = db_kwargs.get("monitoring_role_arn")
    database.performance_insights_enabled = db_kwargs.get("enable_performance_insights", False)
    database.performance_insights_kms_key_id = db_kwargs.get("performance_insights_kms_key_id")
    database.performance_insights_retention_period = db_kwargs.get("performance_insights_retention_period")
    return database


rds.RDSBackend.create_db_instance = create_db_instance

create_plain_service = ecs.EC2ContainerServiceResponse.create_service


@operation(ecs.EC2ContainerServiceResponse)
def create_service(self):
    answer = create_plain_service(self)
    service = answer.result["service"]
    service.availability_zone_rebalancing = self._get_param("availabilityZoneRebalancing")
    service.enable_ecs_managed_tags = self._get_param("enableECSManagedTags", False)
    service.health_check_grace_period_seconds = self._get_param("healthCheckGracePeriodSeconds")
    return answer


update_parameters = rds.DBParameterGroup.update_parameters


def update_user_parameters(self, new_parameters):
    """The provider looks at those whose source is the user."""
    update_parameters(self, [{**parameter, "Source": "user"} for parameter in new_parameters])


rds.DBParameterGroup.update_parameters = update_user_parameters

security_groups.SecurityGroupRule.description = property(
    lambda self: self.ip_range.get("Description") or self.source_group.get("Description")
)

workspace_facts = amp_models.Workspace.to_dict
amp_models.Workspace.to_dict = lambda self: {**workspace_facts(self), **getattr(self, "more", {})}
create_plain_workspace = amp.PrometheusServiceResponse.create_workspace


@operation(amp.PrometheusServiceResponse)
def create_workspace(self):
    answer = create_plain_workspace(self)
    key = json.loads(self.body).get("kmsKeyArn")
    if key:
        self.amp_backend.workspaces[json.loads(answer)["workspaceId"]].more = {"kmsKeyArn": key}
    return answer


plain_permission = s3.FakeBucket.get_permission


def get_permission(self, action, resource):
    """moto does not look at conditions; requests to it stand for ones over TLS, which ours let pass."""
    policy = self.policy
    if policy is None:
        return plain_permission(self, action, resource)
    document = json.loads(policy)
    document["Statement"] = [
        statement
        for statement in document["Statement"]
        if statement.get("Condition") != {"Bool": {"aws:SecureTransport": "false"}}
    ]
    self.policy = json.dumps(document).encode()
    try:
        return plain_permission(self, action, resource)
    finally:
        self.policy = policy


s3.FakeBucket.get_permission = get_permission

# Application Auto Scaling: tags

register_plain_target = scaling.ApplicationAutoScalingResponse.register_scalable_target


@operation(scaling.ApplicationAutoScalingResponse)
def register_scalable_target(self):
    answer = register_plain_target(self)
    params = json.loads(self.body)
    arn = json.loads(answer).get("ScalableTargetARN")
    if arn:
        kept(self).scaling_tags.setdefault(arn, {}).update(params.get("Tags") or {})
    return answer


@operation(scaling.ApplicationAutoScalingResponse)
def list_tags_for_resource(self):
    return json.dumps({"Tags": kept(self).scaling_tags.get(json.loads(self.body)["ResourceARN"], {})})


@operation(scaling.ApplicationAutoScalingResponse)
def tag_resource(self):
    params = json.loads(self.body)
    kept(self).scaling_tags.setdefault(params["ResourceARN"], {}).update(params["Tags"])
    return json.dumps({})


@operation(scaling.ApplicationAutoScalingResponse)
def untag_resource(self):
    params = json.loads(self.body)
    for key in params["TagKeys"]:
        kept(self).scaling_tags.get(params["ResourceARN"], {}).pop(key, None)
    return json.dumps({})


# Managed Prometheus: alert manager definition

amp_urls.url_paths["{0}/workspaces/(?P<workspace_id>[^/]+)/alertmanager/definition$"] = (
    amp.PrometheusServiceResponse.dispatch
)


def workspace_of(self):
    return unquote(self.path).split("/")[2]


def put_definition(self, code):
    now = time.time()
    definition = {"status": {"statusCode": "ACTIVE"}, "createdAt": now, "modifiedAt": now}
    kept(self).alert_managers[workspace_of(self)] = {**definition, "data": json.loads(self.body)["data"]}
    return 202, {}, json.dumps({"status": {"statusCode": code}})


@operation(amp.PrometheusServiceResponse)
def create_alert_manager_definition(self):
    base64.b64decode(json.loads(self.body)["data"], validate=True)
    return put_definition(self, "CREATING")


@operation(amp.PrometheusServiceResponse)
def put_alert_manager_definition(self):
    return put_definition(self, "UPDATING")


@operation(amp.PrometheusServiceResponse)
def describe_alert_manager_definition(self):
    definition = kept(self).alert_managers.get(workspace_of(self))
    if definition is None:
        return 404, {"x-amzn-errortype": "ResourceNotFoundException"}, json.dumps({"message": "There is none."})
    return json.dumps({"alertManagerDefinition": definition})


@operation(amp.PrometheusServiceResponse)
def delete_alert_manager_definition(self):
    kept(self).alert_managers.pop(workspace_of(self), None)
    return 202, {}, "{}"


class OneAtATime(server.DomainDispatcherApplication):
    """What moto keeps is not made for threads: a request that meets another one now and then fails after it was carried out.
    An answer can also get lost on the way, on a busy machine. AWS's clients then try again, and would find that the thing
    exists: an attempt after the first gets the answer of the one that was carried out."""

    turn = threading.Lock()
    answers = OrderedDict()
    ANSWERS_MAX = 1_000

    def __call__(self, environ, start_response):
        invocation = environ.get("HTTP_AMZ_SDK_INVOCATION_ID")
        with self.turn:
            if invocation in self.answers:
                status, headers, body = self.answers[invocation]
                start_response(status, headers)
                return body
            return self.carry_out(environ, start_response, invocation)

    def carry_out(self, environ, start_response, invocation):
        begun = []

        def begin(status, headers, exc_info=None):
            begun[:] = [status, headers]
            return start_response(status, headers, exc_info)

        body = list(super().__call__(environ, begin))
        if invocation and begun and begun[0].startswith("2"):
            self.answers[invocation] = (*begun, body)
            if len(self.answers) > self.ANSWERS_MAX:
                self.answers.popitem(last=False)
        return body


if __name__ == "__main__":
    server.DomainDispatcherApplication = OneAtATime
    server.main()
