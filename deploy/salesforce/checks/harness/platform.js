/* What the platform gives a component, with records that stand for the card's states; nobody is in them. */
const LINKED = {
    DrChrono_Sync_Status__c: 'In step',
    DrChrono_Sync_Message__c: null,
    DrChrono_Synced_At__c: '2026-11-20T15:04:05.000Z',
    DrChrono_Record_Url__c: 'https://sync.example.com/records/1',
    DrChrono_Chart_Url__c: 'https://app.drchrono.com/patients/900001',
    DrChrono_Patient_Id__c: '900001'
};
const UNLINKED = { ...LINKED, DrChrono_Synced_At__c: null, DrChrono_Chart_Url__c: null, DrChrono_Patient_Id__c: null };

/** The record whose files are listed; it has a page of its own. */
export const WITH_FILES = 'files';

export const RECORDS = {
    linked: LINKED,
    [WITH_FILES]: LINKED,
    waiting: {
        ...LINKED,
        DrChrono_Sync_Status__c: 'Waiting',
        DrChrono_Sync_Message__c: 'DrChrono’s calls of this hour are spent. It goes on at 16:00.'
    },
    review: {
        ...LINKED,
        DrChrono_Sync_Status__c: 'Needs review',
        DrChrono_Sync_Message__c:
            'The mobile phone was changed on both sides. Open the record in the console and decide.'
    },
    failed: {
        ...UNLINKED,
        DrChrono_Sync_Status__c: 'Failed',
        DrChrono_Sync_Message__c: 'DrChrono wants a gender. Fill in DrChrono Gender and save.'
    },
    unlinked: { ...UNLINKED, DrChrono_Sync_Status__c: 'Not linked' },
    refused: {
        DrChrono_Sync_Status__c: null,
        DrChrono_Record_Url__c: 'https://sync.example.com/records/2'
    }
};

export class getRecord {
    constructor(callback) {
        this.callback = callback;
    }
    connect() {}
    disconnect() {}
    update({ recordId, optionalFields }) {
        if (recordId && optionalFields) {
            const held = Object.entries(RECORDS[recordId]).map(([name, value]) => [
                name,
                { value, displayValue: null }
            ]);
            this.callback({ data: { fields: Object.fromEntries(held) }, error: undefined });
        }
    }
}

const field = (record, path) => record.fields[path.split('.')[1]];
export const getFieldValue = (record, path) => field(record, path)?.value;
export const getFieldDisplayValue = (record, path) => field(record, path)?.displayValue;
export const notifyRecordUpdateAvailable = async () => {};

const SENT = { isSent: true, status: 'In step', recordUrl: 'https://sync.example.com/records/3' };
const FILES = [
    { versionId: '068A', title: 'Photo of the knee', isSent: false },
    { versionId: '068B', title: 'Referral letter (2026-11-03)', ...SENT, syncedAt: '2026-11-20T15:04:05.000Z' },
    {
        versionId: '068C',
        title: 'Consent form',
        ...SENT,
        status: 'Waiting',
        message: 'DrChrono’s calls of this hour are spent. It goes on at 16:00.'
    },
    {
        versionId: '068D',
        title: 'MRI, all series',
        ...SENT,
        status: 'Failed',
        message: 'The file is larger than 10 MB. Send a smaller one, or raise DOCUMENT_MAX_MB.'
    }
];

/** The Apex method that lists a record's files. */
export const documents = async ({ recordId }) => (recordId === WITH_FILES ? FILES : []);

/** The Apex method, which refuses: every answer of the card's is shown once. */
export default async () => {
    throw { body: { message: 'You may not see this record.' } };
};
