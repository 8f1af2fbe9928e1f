import { LightningElement, api } from 'lwc';
import isStaff from '@salesforce/customPermission/DrChrono_Staff';
import { DOCUMENTS } from 'c/drchronoMapping';
import { lookOf } from 'c/drchronoStatus';

/** When to look how a file stands, after it was sent. */
const LOOKS_AFTER_MS = [4000, 12000, 40000];

/**
 * Lists the files of a record with how each stands with DrChrono, and lets staff send one there.
 *
 * Nothing is asked where the mapping has no documents, and nothing shown where the record has no file.
 */
export default class DrchronoDocuments extends LightningElement {
    /** Whether the record is a patient in DrChrono; to another one nothing can be sent. */
    @api isLinked = false;

    rows = [];
    isUnreadable = false;
    isBusy = false;
    answer = '';
    refusal = '';
    timers = [];
    shownOf;

    @api
    get recordId() {
        return this.shownOf;
    }
    set recordId(value) {
        this.shownOf = value;
        this.rows = [];
        this.read();
    }

    disconnectedCallback() {
        this.stopLooking();
    }

    /** Reads the list anew. */
    @api
    async read() {
        const recordId = this.shownOf;
        if (!DOCUMENTS || !recordId) {
            return;
        }
        try {
            const rows = await DOCUMENTS.documents({ recordId });
            if (recordId === this.shownOf) {
                this.rows = rows ?? [];
                this.isUnreadable = false;
            }
        } catch {
            this.isUnreadable = true;
        }
    }

    get files() {
        return this.rows.map((row) => ({
            ...row,
            look: lookOf(row.status),
            url: row.recordUrl?.startsWith('https://') ? row.recordUrl : undefined,
            isSendable: Boolean(isStaff) && this.isLinked && !row.isSent
        }));
    }

    get isShown() {
        return this.rows.length > 0 || this.isUnreadable;
    }

    async send(event) {
        const { versionId } = event.currentTarget.dataset;
        this.isBusy = true;
        this.answer = '';
        this.refusal = '';
        try {
            await DOCUMENTS.send({ versionId });
            this.answer = 'Asked. The list shows the result in a moment.';
            this.keepLooking();
            await this.read();
        } catch (error) {
            this.refusal = error?.body?.message ?? 'Salesforce did not answer. Try again in a minute.';
        } finally {
            this.isBusy = false;
        }
    }

    keepLooking() {
        this.stopLooking();
        // eslint-disable-next-line @lwc/lwc/no-async-operation -- ended with the component, and after three looks
        this.timers = LOOKS_AFTER_MS.map((after) => setTimeout(() => this.read(), after));
    }

    stopLooking() {
        this.timers.forEach((timer) => clearTimeout(timer));
        this.timers = [];
    }
}
