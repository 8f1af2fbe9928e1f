/* Shows of every check that it can fail: in a copy of the package one fault is planted for each, and has to be found. */
import { spawnSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';

const MAIN = 'force-app/main';
const SENDER = `${MAIN}/classes/DrChronoSender.cls`;
const ASKED = `${MAIN}/classes/DrChronoCard.cls`;
const CARD = `${MAIN}/lwc/drchronoCard/drchronoCard.js`;
const PAGE = `${MAIN}/lwc/drchronoCard/drchronoCard.html`;
const LOOK = `${MAIN}/lwc/drchronoCard/drchronoCard.css`;
const STAFF = `${MAIN}/permissionsets/DrChrono_Staff.permissionset-meta.xml`;
const STATUS = `${MAIN}/objects/Contact/fields/DrChrono_Sync_Status__c.field-meta.xml`;

/** Check; what is wrong; what the check has to say of it; file; what stands there; what is put in its place. */
const FAULTS = [
    ['metadata', 'an element that is misspelt', /no element labal/, STATUS, /label>/g, 'labal>'],
    ['metadata', 'a value that is none of its list', /none of its values/, STATUS, '>Picklist<', '>Pick list<'],
    ['metadata', 'an element that is not closed', /closing tag/, STATUS, '</label>', ''],
    ['names', 'a field that is nowhere', /DrChrono_Gendre__c/, STAFF, 'DrChrono_Gender__c', 'DrChrono_Gendre__c'],
    ['names', 'a class that is nowhere', /class DrChronoCrad/, STAFF, '>DrChronoCard<', '>DrChronoCrad<'],
    ['names', 'a permission that is nowhere', /DrChrono_Persons/, CARD, 'n/DrChrono_Staff', 'n/DrChrono_Persons'],
    ['names', 'a status that the card does not know', /On its way/, STATUS, '>Waiting<', '>On its way<'],
    ['apex', 'a field that the event has not', /Objekt__c/, SENDER, 'event.Object__c', 'event.Objekt__c'],
    ['apex', 'a syntax error', /missing ';'/, SENDER, 'return status == 200;', 'return status == 200'],
    ['analysis', 'a class that declares no sharing', /ApexSharingViolations/, ASKED, 'with sharing ', ''],
    [
        'analysis',
        'a query in a loop',
        /OperationWithLimitsInLoop/,
        SENDER,
        'told.add(',
        '[SELECT Id FROM Contact];\ntold.add('
    ],
    [
        'flows',
        'a query in a loop',
        /SOQLQueryInLoop/,
        `${MAIN}/flows/Faulty.flow-meta.xml`,
        null,
        flowWithAQueryInALoop()
    ],
    ['style', 'code that is not formatted', /not formatted/, SENDER, '    private static', 'private static'],
    [
        'style',
        'a variable that nobody uses',
        /no-unused-vars/,
        CARD,
        'const STATUS =',
        'const UNUSED = 1;\nconst STATUS ='
    ],
    ['style', 'a color of its own', /no-hardcoded/, LOOK, 'align-items: center', 'color: #747474'],
    ['components', 'a request for something else', /asks for a synchronization/, CARD, "ask('sync'", "ask('link'"],
    ['components', 'a link without words', /is accessible/, PAGE, /Open in console<span.*?<\/span>/s, '']
];

/** Plants each fault and gives 0 if all were found and 1 otherwise. */
export function prove(root, checks) {
    const unproven = checks.filter((one) => !FAULTS.some(([check]) => check === one));
    unproven.forEach((one) => console.log(`${one}: no fault is planted for it`));
    let missed = unproven.length;
    for (const [check, wrong, says, file, was, is] of FAULTS) {
        const copy = copyOf(root);
        try {
            plant(join(copy, file), was, is);
            const hit = problemsOf(copy, check).find((line) => says.test(line));
            console.log(hit ? `${check}: finds ${wrong}\n${hit}` : `${check}: MISSES ${wrong}`);
            missed += hit ? 0 : 1;
        } finally {
            rmSync(copy, { recursive: true });
        }
    }
    return missed ? 1 : 0;
}

/** The lines that a check prints of a copy, which has to fail. */
function problemsOf(copy, check) {
    const ran = spawnSync(process.execPath, ['checks/main.mjs', check], { cwd: copy, encoding: 'utf8' });
    return ran.status === 1 ? ran.stdout.split('\n') : [];
}

function copyOf(root) {
    const copy = mkdtempSync(join(tmpdir(), 'salesforce-'));
    const isCopied = (path) => !/\/(node_modules|\.tools|coverage|harness)$/.test(path);
    cpSync(root, copy, { recursive: true, filter: isCopied });
    symlinkSync(join(root, 'node_modules'), join(copy, 'node_modules'));
    return copy;
}

/** Replaces what stands in a file, or makes the file where nothing is to be replaced. */
function plant(path, was, is) {
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
