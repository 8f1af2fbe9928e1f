import { LightningElement, api, wire } from 'lwc';
import { getFieldDisplayValue, getFieldValue, getRecord, notifyRecordUpdateAvailable } from 'lightning/uiRecordApi';
import isStaff from '@salesforce/customPermission/DrChrono_Staff';
import ask from '@salesforce/apex/DrChronoCard.ask';
import LinkModal from 'c/drchronoLinkModal';
import { PATIENT_ID } from 'c/drchronoMapping';
import { lookOf } from 'c/drchronoStatus';

const STATUS = 'DrChrono_Sync_Status__c';
const MESSAGE = 'DrChrono_Sync_Message__c';
const SYNCED_AT = 'DrChrono_Synced_At__c';
const RECORD_URL = 'DrChrono_Record_Url__c';
const CHART_URL = 'DrChrono_Chart_Url__c';
const FIELDS = [STATUS, MESSAGE, SYNCED_AT, RECORD_URL, CHART_URL, PATIENT_ID];

/** When to look whether the answer is in the record, after something was asked for. */
const LOOKS_AFTER_MS = [4000, 12000, 40000];

/**
 * Shows on a record's page how the record stands with DrChrono, and lets staff ask the service for something.
 *
 * What the object has no field for, or the user may not read, is left out.
 */
export default class DrchronoCard extends LightningElement {
    @api recordId;
    @api objectApiName;

    record;
    isUnreadable = false;
    isBusy = false;
    answer = '';
    refusal = '';
    timers = [];

    @wire(getRecord, { recordId: '$recordId', optionalFields: '$fields' })
    receive({ data, error }) {
        this.record = data ?? this.record;
        this.isUnreadable = Boolean(error);
    }

    disconnectedCallback() {
        this.stopLooking();
    }

    get fields() {
        return this.objectApiName ? FIELDS.map((name) => this.path(name)) : undefined;
    }

    get isLoading() {
        return !this.record && !this.isUnreadable;
    }

    get isShown() {
        return Boolean(this.record) && this.has(STATUS) && !this.isUnreadable;
    }

    get isForeign() {
        return Boolean(this.record) && !this.has(STATUS) && !this.isUnreadable;
    }

    get status() {
        return this.shown(STATUS) || this.look.label;
    }

    get look() {
        return lookOf(this.value(STATUS));
    }

    get message() {
        return this.value(MESSAGE);
    }

    get syncedAt() {
        return this.value(SYNCED_AT);
    }

    get chartUrl() {
        return this.address(CHART_URL);
    }

    get recordUrl() {
        return this.address(RECORD_URL);
    }

    get patientId() {
        return this.value(PATIENT_ID);
    }

    get isPatient() {
        return this.has(PATIENT_ID);
    }

    get isLinked() {
        return Boolean(this.patientId);
    }

    get isLinkable() {
        return this.isAsking && this.isPatient && !this.isLinked;
    }

    get isUnlinkable() {
        return this.isAsking && this.isLinked;
    }

    get isAsking() {
        return Boolean(isStaff);
    }

    get hasFooter() {
        return Boolean(this.chartUrl || this.recordUrl) || this.isLinkable || this.isUnlinkable;
    }

    synchronize() {
        return this.ask('sync', null, 'Asked. The card shows the result in a moment.');
    }

    async link() {
        const chartId = await this.decided(false);
        if (chartId) {
            await this.ask('link', chartId, `Asked to link the DrChrono patient ${chartId}.`);
        }
    }

    async unlink() {
        if (await this.decided(true)) {
            await this.ask('unlink', null, 'Asked to unlink.');
        }
    }

    decided(isLinked) {
        return LinkModal.open({
            size: 'small',
            label: isLinked ? 'Unlink' : 'Link',
            isLinked,
            patientId: this.patientId
        });
    }

    async ask(action, chartId, answer) {
        this.isBusy = true;
        this.answer = '';
        this.refusal = '';
        try {
            await ask({ recordId: this.recordId, action, chartId });
            this.answer = answer;
            this.keepLooking();
        } catch (error) {
            this.refusal = error?.body?.message ?? 'Salesforce did not answer. Try again in a minute.';
        } finally {
            this.isBusy = false;
        }
    }

    keepLooking() {
        this.stopLooking();
        // eslint-disable-next-line @lwc/lwc/no-async-operation -- ended with the component, and after three looks
        this.timers = LOOKS_AFTER_MS.map((after) => setTimeout(() => this.refresh(), after));
    }

    stopLooking() {
        this.timers.forEach((timer) => clearTimeout(timer));
        this.timers = [];
    }

    refresh() {
        this.template.querySelector('c-drchrono-documents')?.read();
        return notifyRecordUpdateAvailable([{ recordId: this.recordId }]);
    }

    path(name) {
        return `${this.objectApiName}.${name}`;
    }

    has(name) {
        return name in (this.record?.fields ?? {});
    }

    value(name) {
        return this.has(name) ? getFieldValue(this.record, this.path(name)) : undefined;
    }

    shown(name) {
        return this.has(name) ? getFieldDisplayValue(this.record, this.path(name)) : undefined;
    }

    address(name) {
        const value = this.value(name);
        return value?.startsWith('https://') ? value : undefined;
    }
}
