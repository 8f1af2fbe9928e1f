/* Every name that the package refers to is in the package, or is one of Salesforce's own that are listed here. */
import { basename } from 'node:path';
import standard from './standard-names.json' with { type: 'json' };
import { filesOf, lineOf, textOf, textsAt, xmlOf } from './files.mjs';

export const name = 'names';

/** Kinds of parts by the ending of the file that declares one. */
const PARTS = {
    '.cls': 'class',
    '.trigger': 'trigger',
    '.tab-meta.xml': 'tab',
    '.app-meta.xml': 'application',
    '.permissionset-meta.xml': 'permission set',
    '.customPermission-meta.xml': 'custom permission',
    '.namedCredential-meta.xml': 'named credential',
    '.externalCredential-meta.xml': 'external credential',
    '.js-meta.xml': 'component'
};

/** Where metadata names something: ending of the file, path of elements, kind. A field is one of the file's object. */
const REFERENCES = [
    ['.permissionset-meta.xml', 'objectPermissions.object', 'object'],
    ['.permissionset-meta.xml', 'fieldPermissions.field', 'object and field'],
    ['.permissionset-meta.xml', 'classAccesses.apexClass', 'class'],
    ['.permissionset-meta.xml', 'customPermissions.name', 'custom permission'],
    ['.permissionset-meta.xml', 'tabSettings.tab', 'tab'],
    ['.permissionset-meta.xml', 'applicationVisibilities.application', 'application'],
    ['.permissionset-meta.xml', 'externalCredentialPrincipalAccesses.externalCredentialPrincipal', 'principal'],
    ['.layout-meta.xml', 'layoutSections.layoutColumns.layoutItems.field', 'field'],
    ['.listView-meta.xml', 'columns', 'field'],
    ['.listView-meta.xml', 'filters.field', 'field'],
    ['.compactLayout-meta.xml', 'fields', 'field'],
    ['.field-meta.xml', 'referenceTo', 'object'],
    ['.object-meta.xml', 'searchLayouts.customTabListAdditionalFields', 'field'],
    ['.object-meta.xml', 'searchLayouts.lookupDialogsAdditionalFields', 'field'],
    ['.object-meta.xml', 'searchLayouts.searchResultsAdditionalFields', 'field'],
    ['.tab-meta.xml', 'customObject', 'object of the file'],
    ['.app-meta.xml', 'tabs', 'tab'],
    ['.workflow-meta.xml', 'outboundMessages.fields', 'field'],
    ['.flow-meta.xml', 'start.object', 'object'],
    ['.flow-meta.xml', 'actionCalls.actionName', 'outbound message'],
    ['.reportType-meta.xml', 'baseObject', 'object'],
    ['.reportType-meta.xml', 'join.relationship', 'relationship'],
    ['.platformEventSubscriberConfig-meta.xml', 'platformEventConsumer', 'trigger'],
    ['.namedCredential-meta.xml', 'namedCredentialParameters.externalCredential', 'external credential']
];

/** Where text names something: ending of the file, what to look for, kind. */
const MENTIONS = [
    ['.flow-meta.xml', /\$Record(?:__Prior)?\.(\w+)/g, 'field'],
    ['.flow-meta.xml', /\$Permission\.(\w+)/g, 'custom permission'],
    ['.trigger', /\btrigger\s+\w+\s+on\s+(\w+)/g, 'object'],
    ['.cls', /'callout:(\w+)/g, 'named credential'],
    ['.cls', /'(\w+__c)'/g, 'any object or field'],
    ['.cls', /'(DrChrono_[A-Za-z]+)'/g, 'permission'],
    ['.js', /'@salesforce\/customPermission\/(\w+)'/g, 'custom permission'],
    ['.js', /'@salesforce\/apex\/(\w+\.\w+)'/g, 'method'],
    ['.js', /'c\/(\w+)'/g, 'component'],
    ['.js', /\b(\w+__c)\b/g, 'any object or field']
];

export function check(root) {
    const declared = declaredIn(root);
    const found = [];
    for (const file of filesOf(root, '')) {
        const text = textOf(root, file);
        const object = objectOf(file, text);
        const tell = (kind, named) => {
            if (!declared.has(kind, named, object)) {
                const says = `${kind} ${named}${kind === 'field' ? ` of ${object}` : ''} is not in the package`;
                found.push({ file, line: lineOf(text, named.split('.').pop()), says });
            }
        };
        for (const [ending, path, kind] of REFERENCES.filter(([one]) => file.endsWith(one))) {
            new Set(textsAt(xmlOf(text).content, path)).forEach((named) => tell(kind, named));
        }
        for (const [ending, pattern, kind] of MENTIONS.filter(([one]) => file.endsWith(one))) {
            new Set([...text.matchAll(pattern)].map(([, named]) => named)).forEach((named) => tell(kind, named));
        }
        if (file.endsWith('.reportType-meta.xml')) {
            columnsOf(text).forEach(([field, table]) => tell('column', `${table}.${field}`));
        }
    }
    return [...found, ...statuses(root), ...declared.unused()];
}

/** The object that a file's fields belong to. */
function objectOf(file, text) {
    if (file.endsWith('.flow-meta.xml')) {
        return textsAt(xmlOf(text).content, 'start.object')[0];
    }
    return /\/objects\/([^/]+)\//.exec(file)?.[1] ?? basename(file).split(/-|\./)[0];
}

function columnsOf(text) {
    const columns = (xmlOf(text).content.sections ?? []).flatMap((section) => section.columns ?? []);
    return columns.map((column) => [column.field[0], column.table[0]]);
}

function declaredIn(root) {
    const names = new Map(Object.values(PARTS).map((kind) => [kind, new Set()]));
    const made = new Set(); // objects
    const objects = new Map(); // name -> fields, also of what is not made here
    const relationships = new Map(); // what a parent calls its children -> the children's object
    const methods = new Set();
    const messages = new Set();
    const principals = new Set();
    for (const file of filesOf(root, '')) {
        const [ending, kind] = Object.entries(PARTS).find(([one]) => file.endsWith(one)) ?? [];
        const base = basename(file);
        if (kind) {
            names.get(kind).add(base.slice(0, -ending.length));
        }
        if (kind === 'class') {
            const called = textOf(root, file).matchAll(/\bpublic static \S+ (\w+)\(/g);
            [...called].forEach(([, method]) => methods.add(`${base.slice(0, -4)}.${method}`));
        }
        if (file.endsWith('.object-meta.xml')) {
            made.add(objectOf(file));
        }
        if (!/\.(field|workflow|externalCredential)-meta\.xml$/.test(file)) {
            continue;
        }
        const { content } = xmlOf(textOf(root, file));
        const object = objectOf(file);
        if (file.endsWith('.field-meta.xml')) {
            objects.set(object, (objects.get(object) ?? new Set()).add(textsAt(content, 'fullName')[0]));
            textsAt(content, 'relationshipName').forEach((one) => relationships.set(`${one}__r`, object));
        } else if (file.endsWith('.workflow-meta.xml')) {
            textsAt(content, 'outboundMessages.fullName').forEach((one) => messages.add(`${object}.${one}`));
        } else {
            content.externalCredentialParameters
                .filter(({ parameterType }) => /Principal$/.test(parameterType[0]))
                .forEach(({ parameterName }) => principals.add(`${object}-${parameterName[0]}`));
        }
    }
    const used = new Set();
    const isStandard = (kind, named) => used.add(`${kind} ${named}`) && (standard[kind] ?? []).includes(named);
    const hasObject = (named) => made.has(named) || isStandard('objects', named);
    const hasField = (object, named) =>
        objects.get(object)?.has(named) ||
        isStandard('fields of every object', named) ||
        isStandard(`fields of ${object}`, named);
    const hasColumn = (path) => {
        const [field, table, relationship] = [path.split('.').pop(), ...path.split('.').slice(0, -1)];
        return hasField(relationship ? relationships.get(relationship) : table, field);
    };
    const has = {
        object: hasObject,
        'object of the file': (named, object) => hasObject(object),
        field: (named, object) => hasField(object, named),
        'object and field': (named) => hasObject(named.split('.')[0]) && hasField(...named.split('.')),
        column: hasColumn,
        relationship: (named) => relationships.has(named),
        'any object or field': (named) => made.has(named) || [...objects.values()].some((one) => one.has(named)),
        permission: (named) => ['permission set', 'custom permission'].some((kind) => names.get(kind).has(named)),
        method: (named) => methods.has(named),
        'outbound message': (named) => messages.has(named),
        principal: (named) => principals.has(named),
        tab: (named) => names.get('tab').has(named) || isStandard('tabs', named)
    };
    return {
        has: (kind, named, object) => (has[kind] ? has[kind](named, object) : names.get(kind).has(named)),
        unused: () =>
            Object.entries(standard).flatMap(([kind, listed]) =>
                listed
                    .filter((named) => !used.has(`${kind} ${named}`))
                    .map((named) => ({
                        file: 'checks/standard-names.json',
                        line: 1,
                        says: `nothing in the package names ${named}, ${kind}; remove it`
                    }))
            )
    };
}

/** The card knows how each status looks that the field can hold, and no other. */
function statuses(root) {
    const card = filesOf(root, 'drchronoStatus.js')[0];
    const looks = /const LOOKS = \{(.*?)\n\};/s.exec(textOf(root, card))[1];
    const known = [...looks.matchAll(/^ {4}(?:'([^']+)'|(\w+)): /gm)].map(([, quoted, bare]) => quoted ?? bare).sort();
    return filesOf(root, 'DrChrono_Sync_Status__c.field-meta.xml').flatMap((file) => {
        const text = textOf(root, file);
        const held = textsAt(xmlOf(text).content, 'valueSet.valueSetDefinition.value.fullName').sort();
        const says = `it holds ${held}, and the card on record pages shows ${known}`;
        return String(held) === String(known) ? [] : [{ file, line: lineOf(text, '<valueSet>'), says }];
    });
}
