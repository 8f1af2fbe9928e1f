"""An outbound message as Salesforce writes it, for tests that say only what matters to them."""

from xml.sax.saxutils import escape

ORG = "00DSYN0000000012BA"
ADA = "003SYN000000001YBA"
HEAD = '<?xml version="1.0" encoding="UTF-8"?>\n'
NAMESPACES = (
    'xmlns:soapenv="http://schemas.xmlsoap.org/soap/envelope/" xmlns:xsd="http://www.w3.org/2001/XMLSchema" '
    'xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
)


def a_notification(record_id=ADA, *, notification_id="04lSYN000000001YBA", kind="Contact", **fields):
    """One `Notification` element; without a record id it is one of a record that was deleted before it left."""
    values = {"Id": record_id, **fields} if record_id else {}
    inside = "".join(f"<sf:{name}>{escape(value)}</sf:{name}>" for name, value in values.items())
    return (
        f'<Notification><Id>{notification_id}</Id><sObject xsi:type="sf:{kind}" '
        f'xmlns:sf="urn:sobject.enterprise.soap.sforce.com">{inside}</sObject></Notification>'
    )


def a_message(*notifications, org=ORG, session=None, head=HEAD):
    """The whole message, as bytes."""
    said = '<SessionId xsi:nil="true"/>' if session is None else f"<SessionId>{escape(session)}</SessionId>"
    return (
        f"{head}<soapenv:Envelope {NAMESPACES}><soapenv:Body>"
        f'<notifications xmlns="http://soap.sforce.com/2005/09/outbound"><OrganizationId>{org}</OrganizationId>'
        f"<ActionId>04kSYN000000001YBA</ActionId>{said}"
        f"{''.join(notifications or [a_notification()])}</notifications></soapenv:Body></soapenv:Envelope>"
    ).encode()
