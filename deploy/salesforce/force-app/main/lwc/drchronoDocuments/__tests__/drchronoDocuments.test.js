import { createElement } from 'lwc';
import documents from '@salesforce/apex/DrChronoCardDocuments.documents';
import send from '@salesforce/apex/DrChronoCardDocuments.send';
import DrchronoDocuments from 'c/drchronoDocuments';

jest.mock('@salesforce/customPermission/DrChrono_Staff', () => ({ default: true }), { virtual: true });
jest.mock('@salesforce/apex/DrChronoCardDocuments.documents', () => ({ default: jest.fn() }), { virtual: true });
jest.mock('@salesforce/apex/DrChronoCardDocuments.send', () => ({ default: jest.fn() }), { virtual: true });

const RECORD_ID = '003000000000001AAA';
const VERSION_ID = '068000000000001AAA';
const NEW = { versionId: VERSION_ID, title: 'Referral letter', isSent: false };
const SYNCED = {
    versionId: '068000000000002AAA',
    title: 'Insurance card',
    isSent: true,
    status: 'In step',
    message: '',
    syncedAt: '2026-11-20T15:04:05.000Z',
    recordUrl: 'https://sync.example.com/records/7'
};
const FAILED = { ...SYNCED, status: 'Failed', message: 'The file is larger than 10 MB.', recordUrl: 'javascript:1' };

const settled = async () => {
    for (let turn = 0; turn < 8; turn++) {
        // eslint-disable-next-line no-await-in-loop
        await Promise.resolve();
    }
};
async function listOf(rows, isLinked = true) {
    documents.mockResolvedValue(rows);
    const element = createElement('c-drchrono-documents', { is: DrchronoDocuments });
    element.recordId = RECORD_ID;
    element.isLinked = isLinked;
    document.body.appendChild(element);
    await settled();
    return element;
}
const find = (element, selector) => element.shadowRoot.querySelector(selector);
const textOf = (element, id) => find(element, `[data-id="${id}"]`)?.textContent;

beforeEach(() => {
    jest.useFakeTimers();
    documents.mockReset();
    send.mockReset().mockResolvedValue(undefined);
});

afterEach(() => {
    document.body.replaceChildren();
    jest.clearAllTimers();
    jest.useRealTimers();
});

it('shows nothing on a record without a file', async () => {
    const element = await listOf([]);

    expect(documents).toHaveBeenCalledWith({ recordId: RECORD_ID });
    expect(find(element, 'section')).toBeNull();
});

it('shows how a file stands in the words of the card, and when it was last synced', async () => {
    const element = await listOf([SYNCED]);

    expect(textOf(element, 'title')).toBe('Insurance card');
    expect(textOf(element, 'status')).toBe('Synced');
    expect(find(element, 'lightning-icon').iconName).toBe('utility:success');
    expect(find(element, 'lightning-formatted-date-time').value).toBe(SYNCED.syncedAt);
    expect(find(element, '[data-id="console"]').href).toBe(SYNCED.recordUrl);
    expect(find(element, 'button')).toBeNull();
});

it('shows why a file waits or failed, and follows no address but an https one', async () => {
    const element = await listOf([FAILED]);

    expect(textOf(element, 'message')).toBe('The file is larger than 10 MB.');
    expect(find(element, '[data-id="console"]')).toBeNull();
});

it('sends a file that was not sent yet, and looks how it stands', async () => {
    const element = await listOf([NEW]);
    documents.mockResolvedValue([{ ...NEW, isSent: true }]);
    find(element, 'button').click();
    await settled();

    expect(send).toHaveBeenCalledWith({ versionId: VERSION_ID });
    expect(textOf(element, 'answer')).toContain('Asked');
    expect(find(element, 'button')).toBeNull();
    jest.advanceTimersByTime(60000);
    expect(documents).toHaveBeenCalledTimes(5);
});

it('takes no second request while one is on its way', async () => {
    let answer;
    send.mockReturnValue(
        new Promise((resolve) => {
            answer = resolve;
        })
    );
    const element = await listOf([NEW]);
    find(element, 'button').click();
    await settled();

    expect(find(element, 'button').disabled).toBe(true);
    answer();
    await settled();
    expect(find(element, 'button').disabled).toBe(false);
});

it.each([
    [{ body: { message: 'You may not edit this file.' } }, 'You may not edit this file.'],
    [new Error('offline'), 'Salesforce did not answer. Try again in a minute.']
])('says why a file was not sent', async (error, says) => {
    send.mockRejectedValue(error);
    const element = await listOf([NEW]);
    find(element, 'button').click();
    await settled();

    expect(textOf(element, 'refusal')).toBe(says);
    expect(textOf(element, 'answer')).toBe('');
});

it('sends nothing of a record that is no patient in DrChrono', async () => {
    const element = await listOf([NEW], false);

    expect(textOf(element, 'status')).toBe('Not synced');
    expect(find(element, 'button')).toBeNull();
});

it('says that the files cannot be read', async () => {
    documents.mockRejectedValue(new Error('no access'));
    const element = createElement('c-drchrono-documents', { is: DrchronoDocuments });
    element.recordId = RECORD_ID;
    document.body.appendChild(element);
    await settled();

    expect(textOf(element, 'unreadable')).toContain('cannot be read');
});

it('shows the files of the record that the page shows, whichever answer comes last', async () => {
    const element = await listOf([SYNCED]);
    let late;
    documents.mockReturnValueOnce(
        new Promise((resolve) => {
            late = resolve;
        })
    );
    element.read();
    documents.mockResolvedValue([NEW]);
    element.recordId = '003000000000002AAA';
    await settled();
    late([SYNCED]);
    await settled();

    expect(element.recordId).toBe('003000000000002AAA');
    expect(textOf(element, 'title')).toBe('Referral letter');
});

it('looks no longer once the page is left', async () => {
    const element = await listOf([NEW]);
    find(element, 'button').click();
    await settled();
    const asked = documents.mock.calls.length;
    element.remove();

    jest.advanceTimersByTime(60000);
    expect(documents).toHaveBeenCalledTimes(asked);
});

it('is accessible', async () => {
    jest.useRealTimers();
    const element = await listOf([NEW, SYNCED, { ...FAILED, versionId: '068000000000003AAA' }]);

    await expect(element).toBeAccessible();
});
