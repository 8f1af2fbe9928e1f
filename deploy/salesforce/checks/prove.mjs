/* Shows of every check that it can fail: in a copy of the package one fault is planted for each, and has to be found. */
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const MAIN = 'force-app/main';
const SENDER = `${MAIN}/classes/DrChronoSender.cls`;
const CARD = `${MAIN}/lwc/drchronoCard`;
const PERMISSIONS = `${MAIN}/permissionsets/DrChrono_Staff.permissionset-meta.xml`;
const STATUS = `${MAIN}/objects/Contact/fields/DrChrono_Sync_Status__c.field-meta.xml`;

/** Check, what is wrong, file, what stands there, what is put in its place; of no file there is nothing to replace. */
const FAULTS = [
    [
        'metadata',
        'an element that is misspelt',
        PERMISSIONS,
        '<description>',
        '<descriptoin>',
        '</description>',
        '</descriptoin>'
    ],
    ['metadata', 'a value that is none of its list', STATUS, '<type>Picklist</type>', '<type>Pick list</type>'],
    ['metadata', 'an element that is not closed', STATUS, '</label>', ''],
    ['names', 'a field that is nowhere', PERMISSIONS, 'DrChrono_Gender__c', 'DrChrono_Gendre__c'],
    ['names', 'a class that is nowhere', PERMISSIONS, '>DrChronoCard<', '>DrChronoCrad<'],
    ['names', 'a permission that is nowhere', `${CARD}/drchronoCard.js`, 'n/DrChrono_Staff', 'n/DrChrono_Personnel'],
    ['names', 'a status without a look', STATUS, '<fullName>Waiting</fullName>', '<fullName>On its way</fullName>'],
    ['apex', 'a field that the event has not', SENDER, 'event.Object__c', 'event.Objekt__c'],
    ['apex', 'a syntax error', SENDER, 'return status == 200;', 'return status == 200'],
    ['analysis', 'a class without sharing declared', SENDER, 'inherited sharing ', ''],
    ['analysis', 'a query in a loop', SENDER, 'told.add(', 'Integer n = [SELECT COUNT() FROM Contact];\ntold.add('],
    ['flows', 'a query in a loop', `${MAIN}/flows/Faulty.flow-meta.xml`, null, flowWithAQueryInALoop()],
    [
        'style',
        'code that is not formatted',
        SENDER,
        '    private static final String ADDRESS',
        'private static final String ADDRESS'
    ],
    [
        'style',
        'a variable that nobody uses',
        `${CARD}/drchronoCard.js`,
        'const STATUS =',
        'const UNUSED = 1;\nconst STATUS ='
    ],
    ['style', 'a color of its own', `${CARD}/drchronoCard.css`, 'var(--slds-g-color-border-2, #747474)', '#747474'],
    ['components', 'another action than the one asked for', `${CARD}/drchronoCard.js`, "ask('sync'", "ask('link'"],
    [
        'components',
        'an icon-less link without words',
        `${CARD}/drchronoCard.html`,
        />Open in (DrChrono|console)<span.*?<\/span><\/a\s*>/gs,
        '></a>'
    ]
];

/** Plants each fault and gives 0 if all were found and 1 otherwise. */
export async function prove(root, checks, tools) {
    const unproven = checks.filter((one) => !FAULTS.some(([check]) => check === one));
    unproven.forEach((one) => console.log(`${one}: no fault is planted for it`));
    let missed = unproven.length;
    for (const [check, wrong, file, ...replaced] of FAULTS) {
        const copy = copyOf(root);
        try {
            plant(join(copy, file), replaced);
            const found = await (await import(join(root, 'checks', `${check}.mjs`))).check(copy, tools);
            const hit = found.find((one) => one.file === file) ?? found[0];
            console.log(
                hit ? `${check}: found ${wrong}: ${hit.file}:${hit.line}: ${hit.says}` : `${check}: MISSED ${wrong}`
            );
            missed += hit ? 0 : 1;
        } finally {
            rmSync(copy, { recursive: true });
        }
    }
    return missed ? 1 : 0;
}

function copyOf(root) {
    const copy = mkdtempSync(join(tmpdir(), 'salesforce-'));
    const isCopied = (path) => !/\/(node_modules|\.tools|coverage)$/.test(path);
    cpSync(root, copy, { recursive: true, filter: isCopied });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    return copy;
}

function plant(path, [was, is, ...more]) {
    if (was === null) {
        mkdirSync(dirname(path), { recursive: true });
        writeFileSync(path, is);
        return;
    }
    const text = readFileSync(path, 'utf8');
    const planted = text.replace(was, is);
    if (planted === text) {
        throw new Error(`the fault cannot be planted: ${path} has no ${was}`);
    }
    writeFileSync(path, planted);
    if (more.length) {
        plant(path, more);
    }
}

function flowWithAQueryInALoop() {
    return `<?xml version="1.0" encoding="UTF-8"?>
<Flow xmlns="http://soap.sforce.com/2006/04/metadata">
    <apiVersion>67.0</apiVersion>
    <description>A flow that asks for records again and again.</description>
    <label>Faulty</label>
    <loops>
        <name>Every_Contact</name>
        <label>Every Contact</label>
        <collectionReference>Contacts</collectionReference>
        <nextValueConnector>
            <targetReference>Its_Account</targetReference>
        </nextValueConnector>
    </loops>
    <processType>AutoLaunchedFlow</processType>
    <recordLookups>
        <name>Its_Account</name>
        <label>Its Account</label>
        <connector>
            <targetReference>Every_Contact</targetReference>
        </connector>
        <object>Account</object>
    </recordLookups>
    <start>
        <connector>
            <targetReference>Every_Contact</targetReference>
        </connector>
    </start>
    <status>Active</status>
</Flow>
`;
}
