"""Which metadata types there are: the folder and suffix of their files, and which of their elements are types too.

Types that nobody here needs are absent, and answered as types that the org does not know.
"""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class MetadataType:
    """One type; `has_content`: a file of its own content stands beside the `-meta.xml` one; a bundle is a folder."""

    name: str
    folder: str
    suffix: str
    has_content: bool = False
    is_bundle: bool = False
    children: dict[str, str] = field(default_factory=dict)  # element -> type
    longest_name: int = 80


_OF_OBJECTS = {
    "compactLayouts": "CompactLayout",
    "fieldSets": "FieldSet",
    "fields": "CustomField",
    "listViews": "ListView",
    "recordTypes": "RecordType",
    "validationRules": "ValidationRule",
    "webLinks": "WebLink",
}
TYPES = {
    one.name: one
    for one in (
        MetadataType("ApexClass", "classes", "cls", has_content=True, longest_name=40),
        MetadataType("ApexTrigger", "triggers", "trigger", has_content=True, longest_name=40),
        MetadataType("CustomApplication", "applications", "app"),
        MetadataType("CustomLabels", "labels", "labels", children={"labels": "CustomLabel"}),
        MetadataType("CustomMetadata", "customMetadata", "md"),
        MetadataType("CustomObject", "objects", "object", children=_OF_OBJECTS, longest_name=40),
        MetadataType("CustomPermission", "customPermissions", "customPermission"),
        MetadataType("CustomTab", "tabs", "tab"),
        MetadataType("ExternalCredential", "externalCredentials", "externalCredential"),
        MetadataType("FlexiPage", "flexipages", "flexipage"),
        MetadataType("Flow", "flows", "flow"),
        MetadataType("Layout", "layouts", "layout", longest_name=255),
        MetadataType("LightningComponentBundle", "lwc", "js", is_bundle=True, longest_name=40),
        MetadataType("NamedCredential", "namedCredentials", "namedCredential"),
        MetadataType("PermissionSet", "permissionsets", "permissionset"),
        MetadataType("PermissionSetGroup", "permissionsetgroups", "permissionsetgroup"),
        MetadataType("PlatformEventChannel", "platformEventChannels", "platformEventChannel"),
        MetadataType("PlatformEventChannelMember", "platformEventChannelMembers", "platformEventChannelMember"),
        MetadataType(
            "PlatformEventSubscriberConfig", "PlatformEventSubscriberConfigs", "platformEventSubscriberConfig"
        ),
        MetadataType("QuickAction", "quickActions", "quickAction"),
        MetadataType("RemoteSiteSetting", "remoteSiteSettings", "remoteSite"),
        MetadataType("ReportType", "reportTypes", "reportType"),
        MetadataType("StaticResource", "staticresources", "resource", has_content=True),
        MetadataType("Workflow", "workflows", "workflow", children={"outboundMessages": "WorkflowOutboundMessage"}),
    )
}
BY_FOLDER = {one.folder: one for one in TYPES.values()}
# child type -> the type in whose files it stands, and the element it stands under
CHILDREN = {kind: (one, element) for one in TYPES.values() for element, kind in one.children.items()}
NAMES = TYPES.keys() | CHILDREN.keys()
