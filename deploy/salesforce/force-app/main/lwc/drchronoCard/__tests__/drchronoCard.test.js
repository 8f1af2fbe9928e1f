import { createElement } from 'lwc';
import { getRecord, notifyRecordUpdateAvailable } from 'lightning/uiRecordApi';
import ask from '@salesforce/apex/DrChronoCard.ask';
import LinkModal from 'c/drchronoLinkModal';
import DrchronoCard from 'c/drchronoCard';

jest.mock('@salesforce/customPermission/DrChrono_Staff', () => ({ default: true }), { virtual: true });
jest.mock('@salesforce/apex/DrChronoCard.ask', () => ({ default: jest.fn() }), { virtual: true });

const RECORD_ID = '003000000000001AAA';
const LINKED = {
    DrChrono_Sync_Status__c: 'In step',
    DrChrono_Sync_Message__c: null,
    DrChrono_Synced_At__c: '2026-11-20T15:04:05.000Z',
    DrChrono_Record_Url__c: 'https://sync.example.com/records/1',
    DrChrono_Chart_Url__c: 'https://app.drchrono.com/patients/900001',
    DrChrono_Patient_Id__c: '900001'
};

function cardOf(values, objectApiName = 'Contact') {
    const element = createElement('c-drchrono-card', { is: DrchronoCard });
    element.recordId = RECORD_ID;
    element.objectApiName = objectApiName;
    document.body.appendChild(element);
    if (values) {
        getRecord.emit({
            apiName: objectApiName,
            id: RECORD_ID,
            fields: Object.fromEntries(
                Object.entries(values).map(([name, value]) => [name, { value, displayValue: null }])
            )
        });
    }
    return element;
}

const settled = async () => {
    for (let turn = 0; turn < 5; turn++) {
        // eslint-disable-next-line no-await-in-loop
        await Promise.resolve();
    }
};
const find = (element, selector) => element.shadowRoot.querySelector(selector);
const textOf = (element, id) => find(element, `[data-id="${id}"]`)?.textContent;
const buttonOf = (element, label) =>
    [...element.shadowRoot.querySelectorAll('lightning-button')].find((button) => button.label === label);

beforeEach(() => {
    jest.useFakeTimers();
    ask.mockReset().mockResolvedValue(undefined);
    LinkModal.open = jest.fn();
    notifyRecordUpdateAvailable.mockClear();
});

afterEach(() => {
    document.body.replaceChildren();
    jest.clearAllTimers();
    jest.useRealTimers();
});

describe('what the card shows', () => {
    it.each([
        ['In step', 'Synced', 'utility:success'],
        ['Waiting', 'Pending', 'utility:clock'],
        ['Needs review', 'Needs review', 'utility:warning'],
        ['Failed', 'Failed', 'utility:error'],
        ['Dismissed', 'Dismissed', 'utility:muted'],
        ['Not linked', 'Not linked', 'utility:unlinked'],
        ['Excluded', 'Excluded', 'utility:ban']
    ])('shows the status %s as the console calls it', async (status, label, icon) => {
        const element = cardOf({ ...LINKED, DrChrono_Sync_Status__c: status });
        await settled();

        expect(textOf(element, 'status')).toBe(label);
        expect(textOf(element, 'meaning')).not.toBe('');
        expect(find(element, 'lightning-icon').iconName).toBe(icon);
    });

    it('says of a record without a status that it was not synced', async () => {
        const element = cardOf({ ...LINKED, DrChrono_Sync_Status__c: null });
        await settled();

        expect(textOf(element, 'status')).toBe('Not synced');
    });

    it('shows a status that it does not know', async () => {
        const element = cardOf({ ...LINKED, DrChrono_Sync_Status__c: 'Archived' });
        await settled();

        expect(textOf(element, 'status')).toBe('Archived');
        expect(find(element, 'lightning-icon').iconName).toBe('utility:info');
    });

    it('shows why a record waits or failed, and when it was last synced', async () => {
        const element = cardOf({ ...LINKED, DrChrono_Sync_Message__c: 'Gender is missing: fill it in.' });
        await settled();

        expect(textOf(element, 'message')).toBe('Gender is missing: fill it in.');
        expect(find(element, 'lightning-formatted-date-time').value).toBe('2026-11-20T15:04:05.000Z');
    });

    it('leaves out what the object has no field for', async () => {
        const element = cardOf({ DrChrono_Sync_Status__c: 'Waiting' }, 'DrChrono_Appointment__c');
        await settled();

        expect(textOf(element, 'status')).toBe('Pending');
        expect(find(element, 'a')).toBeNull();
        expect(find(element, 'lightning-formatted-date-time')).toBeNull();
        expect(buttonOf(element, 'Link…')).toBeUndefined();
        expect(find(element, 'c-drchrono-documents')).toBeNull();
    });

    it('says of another object that it has no fields of DrChrono', async () => {
        const element = cardOf({}, 'Opportunity');
        await settled();

        expect(element.shadowRoot.textContent).toContain('no fields of DrChrono');
        expect(buttonOf(element, 'Sync now')).toBeUndefined();
    });

    it('says that a record cannot be read', async () => {
        const element = cardOf(LINKED);
        getRecord.error();
        await settled();

        expect(element.shadowRoot.textContent).toContain('cannot be read');
        expect(buttonOf(element, 'Sync now')).toBeUndefined();
    });

    it('says that it is reading', () => {
        expect(cardOf(null).shadowRoot.textContent).toContain('Reading');
    });

    it('asks for the fields of the page’s object, none of them required', async () => {
        cardOf(LINKED, 'Account');
        await settled();

        const { recordId, optionalFields, fields } = getRecord.getLastConfig();
        expect(recordId).toBe(RECORD_ID);
        expect(optionalFields).toContain('Account.DrChrono_Sync_Status__c');
        expect(fields).toBeUndefined();
    });

    it('lists the files of a patient', async () => {
        const element = cardOf(LINKED);
        await settled();

        expect(find(element, 'c-drchrono-documents').recordId).toBe(RECORD_ID);
        expect(find(element, 'c-drchrono-documents').isLinked).toBe(true);
    });

    it('links to DrChrono and to the console, each in a new tab', async () => {
        const element = cardOf(LINKED);
        await settled();

        expect(find(element, '[data-id="chart"]').href).toBe('https://app.drchrono.com/patients/900001');
        expect(find(element, '[data-id="console"]').href).toBe('https://sync.example.com/records/1');
        expect(find(element, '[data-id="console"]').target).toBe('_blank');
    });

    it('follows no address but an https one', async () => {
        const element = cardOf({ ...LINKED, DrChrono_Chart_Url__c: 'javascript:alert(1)' });
        await settled();

        expect(find(element, '[data-id="chart"]')).toBeNull();
    });
});

describe('what staff may ask for', () => {
    it('asks for a synchronization and looks for its result', async () => {
        const element = cardOf(LINKED);
        await settled();
        buttonOf(element, 'Sync now').click();
        await settled();

        expect(ask).toHaveBeenCalledWith({ recordId: RECORD_ID, action: 'sync', chartId: null });
        expect(textOf(element, 'answer')).toContain('Asked');
        expect(notifyRecordUpdateAvailable).not.toHaveBeenCalled();
        jest.advanceTimersByTime(60000);
        expect(notifyRecordUpdateAvailable).toHaveBeenCalledTimes(3);
        expect(notifyRecordUpdateAvailable).toHaveBeenLastCalledWith([{ recordId: RECORD_ID }]);
    });

    it('looks no longer once the page is left', async () => {
        const element = cardOf(LINKED);
        await settled();
        buttonOf(element, 'Sync now').click();
        await settled();
        element.remove();

        jest.advanceTimersByTime(60000);
        expect(notifyRecordUpdateAvailable).not.toHaveBeenCalled();
    });

    it('takes no second request while one is on its way', async () => {
        let answer;
        ask.mockReturnValue(
            new Promise((resolve) => {
                answer = resolve;
            })
        );
        const element = cardOf(LINKED);
        await settled();
        buttonOf(element, 'Sync now').click();
        await settled();

        expect(buttonOf(element, 'Sync now').disabled).toBe(true);
        answer();
        await settled();
        expect(buttonOf(element, 'Sync now').disabled).toBe(false);
    });

    it.each([
        [{ body: { message: 'You may not see this record.' } }, 'You may not see this record.'],
        [new Error('offline'), 'Salesforce did not answer. Try again in a minute.']
    ])('says why a request was refused', async (error, says) => {
        ask.mockRejectedValue(error);
        const element = cardOf(LINKED);
        await settled();
        buttonOf(element, 'Sync now').click();
        await settled();

        expect(textOf(element, 'refusal')).toBe(says);
        expect(textOf(element, 'answer')).toBe('');
    });

    it('links a record that has no chart to the one that was typed', async () => {
        LinkModal.open.mockResolvedValue('900002');
        const element = cardOf({ ...LINKED, DrChrono_Patient_Id__c: null });
        await settled();
        buttonOf(element, 'Link…').click();
        await settled();

        expect(LinkModal.open).toHaveBeenCalledWith(expect.objectContaining({ isLinked: false }));
        expect(ask).toHaveBeenCalledWith({ recordId: RECORD_ID, action: 'link', chartId: '900002' });
        expect(textOf(element, 'answer')).toContain('900002');
    });

    it('unlinks a linked record once that is confirmed', async () => {
        LinkModal.open.mockResolvedValue(true);
        const element = cardOf(LINKED);
        await settled();
        expect(buttonOf(element, 'Link…')).toBeUndefined();
        buttonOf(element, 'Unlink…').click();
        await settled();

        expect(LinkModal.open).toHaveBeenCalledWith(expect.objectContaining({ isLinked: true, patientId: '900001' }));
        expect(ask).toHaveBeenCalledWith({ recordId: RECORD_ID, action: 'unlink', chartId: null });
    });

    it.each([
        ['Link…', null],
        ['Unlink…', '900001']
    ])('asks for nothing when %s is canceled', async (label, patientId) => {
        LinkModal.open.mockResolvedValue(undefined);
        const element = cardOf({ ...LINKED, DrChrono_Patient_Id__c: patientId });
        await settled();
        buttonOf(element, label).click();
        await settled();

        expect(ask).not.toHaveBeenCalled();
    });
});

it.each([
    ['linked', LINKED],
    ['failed', { ...LINKED, DrChrono_Sync_Status__c: 'Failed', DrChrono_Sync_Message__c: 'Gender is missing.' }],
    ['not synced', { ...LINKED, DrChrono_Sync_Status__c: null, DrChrono_Patient_Id__c: null }],
    ['foreign', {}]
])('is accessible: %s', async (name, values) => {
    jest.useRealTimers();
    const element = cardOf(values);
    await settled();

    await expect(element).toBeAccessible();
});
